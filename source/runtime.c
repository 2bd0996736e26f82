/* Owns what clang calls on AArch64 where the processor has no instruction for it. zig's runtime has it too, but is one
 * object: with it would come a stack canary that is the same in every process, and a memcpy slower than the C library's. */

#if defined(__aarch64__) && defined(__clang__) && defined(__linux__)

#    include <stdint.h>
#    include <sys/auxv.h>

#    define HIDDEN __attribute__((visibility("hidden")))

typedef unsigned __int128 uint128;

/* Names, arguments and results are those of "Outline Atomics" and of "Routines for integer arithmetic" in GCC's manuals. */
HIDDEN uint64_t __aarch64_ldadd8_acq_rel(uint64_t value, uint64_t *object);
HIDDEN uint128 __udivti3(uint128 dividend, uint128 divisor);

static int s_has_atomics;

__attribute__((constructor)) static void s_look(void) {
    s_has_atomics = (getauxval(AT_HWCAP) & HWCAP_ATOMICS) != 0;
}

uint64_t __aarch64_ldadd8_acq_rel(uint64_t value, uint64_t *object) {
    uint64_t before;
    if (s_has_atomics) {
        __asm__ volatile(".arch_extension lse\n\tldaddal %1, %0, [%2]"
                         : "=r"(before)
                         : "r"(value), "r"(object)
                         : "memory");
        return before;
    }
    uint64_t after;
    uint32_t interrupted;
    __asm__ volatile("0:\tldaxr %0, [%3]\n\tadd %1, %0, %4\n\tstlxr %w2, %1, [%3]\n\tcbnz %w2, 0b"
                     : "=&r"(before), "=&r"(after), "=&r"(interrupted)
                     : "r"(object), "r"(value)
                     : "memory");
    return before;
}

static int s_width(uint128 number) {
    uint64_t high = (uint64_t)(number >> 64);
    uint64_t low = (uint64_t)number;
    return high ? 128 - __builtin_clzll(high) : low ? 64 - __builtin_clzll(low) : 0;
}

/* Long division, bit by bit: libcrypto divides so seldom. A divisor of 0 is the caller's fault, as with an instruction. */
uint128 __udivti3(uint128 dividend, uint128 divisor) {
    uint128 quotient = 0;
    for (int shift = s_width(dividend) - s_width(divisor); shift >= 0; --shift) {
        uint128 part = divisor << shift;
        if (part <= dividend) {
            dividend -= part;
            quotient |= (uint128)1 << shift;
        }
    }
    return quotient;
}

#else
typedef int awscrt_no_runtime; /* ISO C knows no empty file */
#endif
