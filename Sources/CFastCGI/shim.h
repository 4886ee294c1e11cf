// libfcgi's multi-threaded interface, and the Linux calls of the responder's loop that Swift's
// Glibc module leaves out.
#include <fcgiapp.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
