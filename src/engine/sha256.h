/* SHA-256 (FIPS 180-4). For names of things, not for secrets; libcurl's own copy of it is not ours to call. */
#ifndef ENGINE_SHA256_H
#define ENGINE_SHA256_H

#include <stddef.h>

#define SHA256_HEX_SIZE 65

/* Writes the hash of length bytes into hex: 64 digits and a NUL. */
void sha256_hex(const void *bytes, size_t length, char hex[SHA256_HEX_SIZE]);

#endif
