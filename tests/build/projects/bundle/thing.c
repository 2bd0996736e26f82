#include <stdio.h>
#include <string.h>

typedef struct object Object;
extern Object *PyLong_FromLong(long);

long AES_encrypt(void);
long AES_encrypt(void) { return 7; }

__attribute__((noinline)) static long measure(const char *text, unsigned long length) {
    char copy[64];
    memcpy(copy, text, length);
    printf("%s", copy);
    return (long)strlen(copy);
}

#ifdef FRAMEWORK
extern void *nw_connection_create(void);
void *(*connect)(void) = nw_connection_create;
#endif

static volatile unsigned long length = 5;

Object *PyInit__thing(void);
Object *PyInit__thing(void) {
#ifdef FRAMEWORK
    connect();
#endif
    return PyLong_FromLong(measure("text", length + (unsigned long)AES_encrypt()));
}
