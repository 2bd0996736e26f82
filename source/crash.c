/* Owns the crash handler: a native stack on stderr when the process is about to die of a fault.
 *
 * For people who look for the cause of a crash (AWS_CRT_CRASH_HANDLER=1). Handlers that were there before, such as
 * faulthandler's, run next, and the process ends by the signal that it would have ended by.
 */

#include "module.h"

#include <aws/common/config.h>
#include <aws/common/system_info.h>

#ifdef _WIN32
#    include <stdio.h>
#    include <windows.h>

static LPTOP_LEVEL_EXCEPTION_FILTER s_previous;

static LONG WINAPI s_on_fault(EXCEPTION_POINTERS *fault) {
    aws_backtrace_print(stderr, fault);
    return s_previous != NULL ? s_previous(fault) : EXCEPTION_CONTINUE_SEARCH;
}

static bool s_install(void) {
    s_previous = SetUnhandledExceptionFilter(s_on_fault);
    return true;
}

#else
#    include <signal.h>
#    include <stdlib.h>
#    include <string.h>
#    include <unistd.h>

#    ifdef AWS_HAVE_EXECINFO
#        include <execinfo.h>
#    endif

enum {
    FRAMES = 128,
    ALTERNATE_STACK_SIZE = 64 * 1024, /* SIGSTKSZ is no constant in newer C libraries, and symbolising needs room */
    ADDRESS_DIGITS = 2 * sizeof(uintptr_t),
};

static const struct {
    int number;
    const char *name;
} s_signals[] = {
    {SIGSEGV, "SIGSEGV"},
    {SIGABRT, "SIGABRT"},
    {SIGBUS, "SIGBUS"},
    {SIGFPE, "SIGFPE"},
    {SIGILL, "SIGILL"},
};

static struct sigaction s_previous[AWS_ARRAY_SIZE(s_signals)];

static void s_write(const char *text, size_t length) {
    while (length > 0) {
        ssize_t written = write(STDERR_FILENO, text, length);
        if (written <= 0) {
            return;
        }
        text += written;
        length -= (size_t)written;
    }
}

static void s_write_text(const char *text) {
    s_write(text, strlen(text));
}

static void s_write_address(uintptr_t address) {
    char digits[ADDRESS_DIGITS];
    for (size_t i = ADDRESS_DIGITS; i > 0; --i) {
        digits[i - 1] = "0123456789abcdef"[address & 0xF];
        address >>= 4;
    }
    s_write_text("0x");
    s_write(digits, ADDRESS_DIGITS);
}

/* Only what is safe in a signal handler: the fault may have hit inside malloc or stdio. */
static void s_write_stack(void) {
#    ifdef AWS_HAVE_EXECINFO
    void *frames[FRAMES];
    int depth = backtrace(frames, FRAMES);
    backtrace_symbols_fd(frames, depth, STDERR_FILENO);
#    else
    s_write_text("(this C library cannot walk the stack)\n");
#    endif
}

static void s_on_fault(int number, siginfo_t *info, void *context) {
    (void)context;
    size_t index = 0;
    while (s_signals[index].number != number) {
        ++index;
    }
    s_write_text("\nawscrt: fatal signal ");
    s_write_text(s_signals[index].name);
    if (info->si_code > 0) {
        s_write_text(" at address ");
        s_write_address((uintptr_t)info->si_addr);
    }
    s_write_text("\nnative stack of the thread that caused it, innermost frame first:\n");
    s_write_stack();
    sigaction(number, &s_previous[index], NULL);
    /* A fault of the processor happens again when this returns; a signal that was sent has to be sent again, and is held
     * back until then. */
    if (info->si_code <= 0) {
        raise(number);
    }
}

static bool s_install(void) {
#    ifdef AWS_HAVE_EXECINFO
    /* The first call loads the unwinder, with malloc. */
    void *frame[1];
    backtrace(frame, 1);
#    endif
    /* A stack overflow leaves no room for the handler. Threads other than this one do without. */
    stack_t current;
    if (sigaltstack(NULL, &current) == 0 && (current.ss_flags & SS_DISABLE) != 0) {
        static char alternate_stack[ALTERNATE_STACK_SIZE];
        stack_t alternate = {.ss_sp = alternate_stack, .ss_size = sizeof(alternate_stack)};
        sigaltstack(&alternate, NULL);
    }
    struct sigaction action = {.sa_sigaction = s_on_fault, .sa_flags = SA_SIGINFO | SA_ONSTACK};
    sigemptyset(&action.sa_mask);
    for (size_t i = 0; i < AWS_ARRAY_SIZE(s_signals); ++i) {
        if (sigaction(s_signals[i].number, &action, &s_previous[i]) != 0) {
            PyErr_SetString(PyExc_RuntimeError, "the crash handler cannot be installed");
            return false;
        }
    }
    return true;
}
#endif

bool awscrt_crash_start(void) {
    int wanted = awscrt_environment_switch("AWS_CRT_CRASH_HANDLER", 1);
    return wanted == 0 || (wanted > 0 && s_install());
}
