// libcrypto of OpenSSL 3.
#include <openssl/evp.h>
#include <openssl/hmac.h>
