// libmemcached.
#include <libmemcached/memcached.h>
