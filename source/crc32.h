/* Owns the declaration of CRC-32 as fast as the processor allows. */
#ifndef AWSCRT_CRC32_H
#define AWSCRT_CRC32_H

#include <stddef.h>
#include <stdint.h>

/* The CRC-32 of zlib, gzip and PNG (polynomial 0x04C11DB7, reflected, initial value and result inverted) of `length` bytes
 * that follow others whose CRC-32 is `previous` (0: there are none). Same results as aws_checksums_crc32_ex and zlib's
 * crc32; any alignment. */
uint32_t awscrt_crc32(const uint8_t *input, size_t length, uint32_t previous);

/* The same by each implementation that this processor has and that takes an input of this length, for tests: which of them
 * awscrt_crc32 uses depends on the machine. Returns how many there are. */
enum { AWSCRT_CRC32_MAX_IMPLEMENTATIONS = 3 };
size_t awscrt_crc32_by_each(
    const uint8_t *input, size_t length, uint32_t previous, uint32_t out[AWSCRT_CRC32_MAX_IMPLEMENTATIONS]);

#endif
