/* Owns CRC-32 by carry-less multiplication, several times faster on x86-64 than the tables of aws-checksums.
 *
 * The method is that of V. Gopal et al., "Fast CRC Computation for Generic Polynomials Using PCLMULQDQ Instruction"
 * (Intel, 2009): the input is a polynomial over GF(2) of which the remainder modulo P is wanted. A block that stands D
 * bits before another can be added to it once it is multiplied by x^D mod P, so several blocks are folded side by side,
 * then into one another, and the last one is reduced by Barrett's method.
 *
 * Bits are reflected: the first byte in memory holds the highest powers of x. A multiplier for D bits is the pair
 * x^(D+32) mod P, for the first eight bytes of a block, and x^(D-32) mod P, for the last eight: each with its 32 bits
 * reversed and shifted left by one, for the product of two reflected factors is one bit short.
 *
 * Elsewhere the library is called: on Arm it uses the processor's CRC-32 instruction.
 */
#include "crc32.h"

#include <aws/checksums/crc.h>

#if defined(__x86_64__) && defined(__GNUC__)

#    include <aws/common/cpuid.h>
#    include <immintrin.h>
#    include <stdbool.h>

#    define WITH_PCLMUL __attribute__((target("sse4.1,pclmul")))
/* These versions of clang have a switch of its own for the 512-bit registers, and zig turns it off. */
#    if defined(__clang__) && __clang_major__ >= 18 && __clang_major__ <= 21
#        define WITH_VPCLMUL __attribute__((target("sse4.1,pclmul,avx512f,vpclmulqdq,evex512")))
#    else
#        define WITH_VPCLMUL __attribute__((target("sse4.1,pclmul,avx512f,vpclmulqdq")))
#    endif

enum {
    BLOCK = 16,                   /* bytes of an XMM register */
    WIDE_BLOCK = 64,              /* bytes of a ZMM register */
    STRIDE = 8 * BLOCK,           /* enough chains to hide the latency of the multiplication */
    WIDE_STRIDE = 4 * WIDE_BLOCK, /* likewise */
    WIDE_FROM = 2 * WIDE_STRIDE,  /* below it the wider registers gain nothing */
};

/* Multipliers: one for each distance in bits. */
static const uint64_t s_by_128[2] = {0x1751997d0, 0x0ccaa009e};
static const uint64_t s_by_512[2] = {0x154442bd4, 0x1c6e41596};
static const uint64_t s_by_1024[2] = {0x1e88ef372, 0x14a7fe880};
static const uint64_t s_by_2048[2] = {0x11542778a, 0x1322d1430};

/* x^64 mod P, P itself, and x^64 divided by P, reflected. */
#    define X_64 0x163cd6124
#    define POLYNOMIAL 0x1db710641
#    define QUOTIENT 0x1f7011641

/* For _mm_shuffle_epi8: loaded at offset n, moves the first n bytes of a register to its end; at offset 16 + n, drops the
 * first n and moves the others to its start. Places whose index has the top bit set become zero. */
static const uint8_t s_shifts[3 * BLOCK] = {
    0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, /* zeros */
    0,    1,    2,    3,    4,    5,    6,    7,    8,    9,    10,   11,   12,   13,   14,   15,   /* as it is */
    0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, /* zeros */
};

WITH_PCLMUL static inline __m128i s_load(const void *from) {
    return _mm_loadu_si128((const __m128i *)from);
}

/* `block`, moved by the distance of `multiplier`, plus the block that stands there. */
WITH_PCLMUL static inline __m128i s_fold(__m128i block, __m128i multiplier, __m128i onto) {
    __m128i first = _mm_clmulepi64_si128(block, multiplier, 0x00);
    __m128i last = _mm_clmulepi64_si128(block, multiplier, 0x11);
    return _mm_xor_si128(_mm_xor_si128(first, last), onto);
}

/* Folds in the last bytes, fewer than a block. At least a block of input stands before them. */
WITH_PCLMUL static inline __m128i s_fold_rest(__m128i block, const uint8_t *rest, size_t length) {
    /* `block` and the rest are 16 + length bytes: the first `length` of them are folded onto the other 16. */
    __m128i to_start = s_load(s_shifts + BLOCK + length);
    __m128i from_rest = _mm_cmpgt_epi8(_mm_setzero_si128(), to_start);
    __m128i last_block = s_load(rest + length - BLOCK);
    __m128i onto = _mm_or_si128(_mm_shuffle_epi8(block, to_start), _mm_and_si128(last_block, from_rest));
    return s_fold(_mm_shuffle_epi8(block, s_load(s_shifts + length)), s_load(s_by_128), onto);
}

/* The remainder of a block of 128 bits. */
WITH_PCLMUL static inline uint32_t s_reduce(__m128i block) {
    const __m128i low_32 = _mm_set_epi32(0, 0, 0, -1);
    /* To 96 bits by x^(128-32), to 64 by x^64. */
    block = _mm_xor_si128(_mm_clmulepi64_si128(block, s_load(s_by_128), 0x10), _mm_srli_si128(block, 8));
    block = _mm_xor_si128(
        _mm_clmulepi64_si128(_mm_and_si128(block, low_32), _mm_cvtsi64_si128(X_64), 0x00), _mm_srli_si128(block, 4));
    /* Barrett: the multiple of P that takes the 32 upper bits away. */
    const __m128i barrett = _mm_set_epi64x(QUOTIENT, POLYNOMIAL);
    __m128i multiple = _mm_clmulepi64_si128(_mm_and_si128(block, low_32), barrett, 0x10);
    multiple = _mm_clmulepi64_si128(_mm_and_si128(multiple, low_32), barrett, 0x00);
    return (uint32_t)_mm_extract_epi32(_mm_xor_si128(block, multiple), 1);
}

/* What `block` has gathered, and `length` more bytes; a block of input or more stands before them. */
WITH_PCLMUL static inline uint32_t s_finish(__m128i block, const uint8_t *input, size_t length) {
    const __m128i by_128 = s_load(s_by_128);
    for (; length >= BLOCK; input += BLOCK, length -= BLOCK) {
        block = s_fold(block, by_128, s_load(input));
    }
    if (length > 0) {
        block = s_fold_rest(block, input, length);
    }
    return ~s_reduce(block);
}

/* `length` is at least a block. */
WITH_PCLMUL static uint32_t s_crc32_pclmul(const uint8_t *input, size_t length, uint32_t previous) {
    __m128i block = _mm_xor_si128(s_load(input), _mm_cvtsi32_si128((int)~previous));
    if (length < STRIDE) {
        return s_finish(block, input + BLOCK, length - BLOCK);
    }
    __m128i chains[STRIDE / BLOCK] = {block};
    for (size_t i = 1; i < STRIDE / BLOCK; ++i) {
        chains[i] = s_load(input + i * BLOCK);
    }
    const __m128i by_1024 = s_load(s_by_1024);
    for (input += STRIDE, length -= STRIDE; length >= STRIDE; input += STRIDE, length -= STRIDE) {
        for (size_t i = 0; i < STRIDE / BLOCK; ++i) {
            chains[i] = s_fold(chains[i], by_1024, s_load(input + i * BLOCK));
        }
    }
    const __m128i by_512 = s_load(s_by_512);
    const __m128i by_128 = s_load(s_by_128);
    for (size_t i = 0; i < 4; ++i) {
        chains[i + 4] = s_fold(chains[i], by_512, chains[i + 4]);
    }
    for (size_t i = 5; i < STRIDE / BLOCK; ++i) {
        chains[i] = s_fold(chains[i - 1], by_128, chains[i]);
    }
    return s_finish(chains[STRIDE / BLOCK - 1], input, length);
}

WITH_VPCLMUL static inline __m512i s_fold_wide(__m512i blocks, __m512i multiplier, __m512i onto) {
    enum { XOR_OF_THREE = 0x96 };
    __m512i first = _mm512_clmulepi64_epi128(blocks, multiplier, 0x00);
    __m512i last = _mm512_clmulepi64_epi128(blocks, multiplier, 0x11);
    return _mm512_ternarylogic_epi64(first, last, onto, XOR_OF_THREE);
}

/* `length` is at least WIDE_STRIDE. */
WITH_VPCLMUL static uint32_t s_crc32_vpclmul(const uint8_t *input, size_t length, uint32_t previous) {
    __m512i chains[WIDE_STRIDE / WIDE_BLOCK];
    for (size_t i = 0; i < WIDE_STRIDE / WIDE_BLOCK; ++i) {
        chains[i] = _mm512_loadu_si512(input + i * WIDE_BLOCK);
    }
    chains[0] = _mm512_xor_si512(chains[0], _mm512_zextsi128_si512(_mm_cvtsi32_si128((int)~previous)));
    const __m512i by_2048 = _mm512_broadcast_i32x4(s_load(s_by_2048));
    input += WIDE_STRIDE;
    length -= WIDE_STRIDE;
    for (; length >= WIDE_STRIDE; input += WIDE_STRIDE, length -= WIDE_STRIDE) {
        for (size_t i = 0; i < WIDE_STRIDE / WIDE_BLOCK; ++i) {
            chains[i] = s_fold_wide(chains[i], by_2048, _mm512_loadu_si512(input + i * WIDE_BLOCK));
        }
    }
    const __m512i by_512 = _mm512_broadcast_i32x4(s_load(s_by_512));
    __m512i blocks = chains[0];
    for (size_t i = 1; i < WIDE_STRIDE / WIDE_BLOCK; ++i) {
        blocks = s_fold_wide(blocks, by_512, chains[i]);
    }
    for (; length >= WIDE_BLOCK; input += WIDE_BLOCK, length -= WIDE_BLOCK) {
        blocks = s_fold_wide(blocks, by_512, _mm512_loadu_si512(input));
    }
    const __m128i by_128 = s_load(s_by_128);
    __m128i block = _mm512_extracti32x4_epi32(blocks, 0);
    block = s_fold(block, by_128, _mm512_extracti32x4_epi32(blocks, 1));
    block = s_fold(block, by_128, _mm512_extracti32x4_epi32(blocks, 2));
    block = s_fold(block, by_128, _mm512_extracti32x4_epi32(blocks, 3));
    return s_finish(block, input, length);
}

static bool s_has_narrow(void) {
    return aws_cpu_has_feature(AWS_CPU_FEATURE_CLMUL) && aws_cpu_has_feature(AWS_CPU_FEATURE_SSE_4_1);
}

/* The library reports AVX-512 only where the system saves its registers. */
static bool s_has_wide(void) {
    return s_has_narrow() && aws_cpu_has_feature(AWS_CPU_FEATURE_VPCLMULQDQ) &&
           aws_cpu_has_feature(AWS_CPU_FEATURE_AVX512);
}

uint32_t awscrt_crc32(const uint8_t *input, size_t length, uint32_t previous) {
    if (length >= WIDE_FROM && s_has_wide()) {
        return s_crc32_vpclmul(input, length, previous);
    }
    if (length >= BLOCK && s_has_narrow()) {
        return s_crc32_pclmul(input, length, previous);
    }
    return aws_checksums_crc32_ex(input, length, previous);
}

size_t awscrt_crc32_by_each(
    const uint8_t *input, size_t length, uint32_t previous, uint32_t out[AWSCRT_CRC32_MAX_IMPLEMENTATIONS]) {
    size_t count = 0;
    out[count++] = aws_checksums_crc32_ex(input, length, previous);
    if (length >= BLOCK && s_has_narrow()) {
        out[count++] = s_crc32_pclmul(input, length, previous);
    }
    if (length >= WIDE_STRIDE && s_has_wide()) {
        out[count++] = s_crc32_vpclmul(input, length, previous);
    }
    return count;
}

#else

uint32_t awscrt_crc32(const uint8_t *input, size_t length, uint32_t previous) {
    return aws_checksums_crc32_ex(input, length, previous);
}

size_t awscrt_crc32_by_each(
    const uint8_t *input, size_t length, uint32_t previous, uint32_t out[AWSCRT_CRC32_MAX_IMPLEMENTATIONS]) {
    out[0] = aws_checksums_crc32_ex(input, length, previous);
    return 1;
}

#endif
