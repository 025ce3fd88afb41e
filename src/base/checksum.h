/* base/checksum.h -- CRC-32C (Castagnoli; TensorBoard's framing) and a 64-bit hash for "did it change?". */
#ifndef BASE_CHECKSUM_H
#define BASE_CHECKSUM_H

#include <stddef.h>
#include <stdint.h>

uint32_t crc32c(const void *bytes, size_t count);
/* The CRC of A followed by `bytes`, where crc is that of A (0 for an empty A). */
uint32_t crc32c_extend(uint32_t crc, const void *bytes, size_t count);
/* The CRC of A followed by B, from those of both and the bytes of B. */
uint32_t crc32c_combine(uint32_t crc_a, uint32_t crc_b, uint64_t bytes_b);
/* The same as crc32c_extend by the table, on any processor: what it takes where the instruction is missing. */
uint32_t crc32c_extend_portable(uint32_t crc, const void *bytes, size_t count);

uint64_t hash64(const void *bytes, size_t count, uint64_t seed); /* FNV-1a 64 over 8-byte words or better */

#endif
