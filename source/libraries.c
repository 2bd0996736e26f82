/* Owns the start of the C libraries: the small ones at import, the rest when something first needs them. */

#include "module.h"

#include <aws/cal/cal.h>
#include <aws/checksums/checksums.h>
#include <aws/common/atomics.h>
#include <aws/common/thread.h>
#include <aws/event-stream/event_stream.h>
#include <aws/mqtt/mqtt.h>
#include <aws/s3/s3.h>

/* They take a good megabyte, and abort when it is not to be had. */
enum { MEMORY_FOR_IO = 4 * 1024 * 1024 };

/* What the libraries themselves keep is not a leak of anybody, so it comes from the default allocator, which no tracing
 * sees. They are never cleaned up: native threads may run until the process is gone. */

void awscrt_libraries_start(void) {
    aws_cal_library_init(aws_default_allocator());
    aws_checksums_library_init(aws_default_allocator());
}

static void s_start_io(void *unused) {
    (void)unused;
    struct aws_allocator *allocator = aws_default_allocator();
    aws_s3_library_init(allocator);
    aws_mqtt_library_init(allocator);
    aws_event_stream_library_init(allocator);
}

bool awscrt_start_io(void) {
    static aws_thread_once once = AWS_THREAD_ONCE_STATIC_INIT;
    static struct aws_atomic_var started = AWS_ATOMIC_INIT_INT(0);
    if (aws_atomic_load_int(&started) == 0) {
        if (!awscrt_can_allocate(MEMORY_FOR_IO)) {
            return false;
        }
        aws_thread_call_once(&once, s_start_io, NULL);
        aws_atomic_store_int(&started, 1);
    }
    return true;
}
