/* Threads that take, fill, pass on, resize and free blocks of src/memory.c while the process forks: no
 * byte of a block may change while it has an owner. Exits with the line of the check that failed.
 */

#define _DEFAULT_SOURCE
#include "cecore.h"
#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#define THREADS 8
#define PASSED 16
#define STEP 4096 /* bytes from one mark to the next */
#define CHECK(holds) ((holds) ? (void)0 : _exit(__LINE__ % 256))

typedef struct {
    unsigned char *data;
    size_t size;
    unsigned char mark;
} owned;

static const size_t sizes[] = {128 << 10, 150 << 10, 1 << 20, (2 << 20) + 100, 4 << 20, 9 << 20};
static _Atomic(owned *) passed[PASSED]; /* from whichever thread to any other */
static int rounds;

static void mark(owned *o, unsigned char with)
{
    o->mark = with;
    for (size_t i = 0; i < o->size; i += STEP)
        o->data[i] = with;
    o->data[o->size - 1] = with;
}

static void check(const owned *o, size_t size)
{
    for (size_t i = 0; i < size; i += STEP)
        CHECK(o->data[i] == o->mark);
}

static owned *taken(uint32_t r)
{
    owned *o = malloc(sizeof *o);
    o->size = sizes[r % 6];
    if (r % 7) {
        o->data = ce_memory_malloc(NULL, o->size);
        CHECK(o->data);
    } else {
        o->data = ce_memory_calloc(NULL, o->size / 4, 4);
        CHECK(o->data);
        *o = (owned){o->data, o->size / 4 * 4, 0};
        check(o, o->size);
    }
    CHECK((uintptr_t)o->data % 4096 == 0);
    mark(o, (unsigned char)(r >> 8));
    return o;
}

static void resize(owned *o, size_t size)
{
    const size_t smaller = size < o->size ? size : o->size;
    o->data = ce_memory_realloc(NULL, o->data, size);
    CHECK(o->data);
    check(o, smaller);
    o->size = size;
    mark(o, (unsigned char)(o->mark + 1));
}

static void drop(owned *o)
{
    if (!o)
        return;
    check(o, o->size);
    CHECK(o->data[o->size - 1] == o->mark);
    ce_memory_free(NULL, o->data, o->size);
    free(o);
}

static void *work(void *seed)
{
    uint32_t r = (uint32_t)(uintptr_t)seed;
    for (int i = 0; i < rounds; i++) {
        r = r * 1664525u + 1013904223u; /* Knuth's generator */
        owned *o = taken(r >> 4);
        if (r % 5 == 0)
            resize(o, sizes[(r >> 20) % 6]);
        drop(atomic_exchange(&passed[(r >> 10) % PASSED], o));
        CHECK(ce_memory_kept() <= ((size_t)256 + 9 * THREADS) << 20); /* what is being freed counts */
    }
    return NULL;
}

int main(int argc, char **argv)
{
    pthread_t threads[THREADS];
    rounds = argc > 1 ? atoi(argv[1]) : 1000;
    CHECK(ce_memory_calloc(NULL, SIZE_MAX / 2, 4) == NULL);
    CHECK(ce_memory_malloc(NULL, SIZE_MAX / 2) == NULL);
    CHECK(ce_memory_malloc(NULL, SIZE_MAX) == NULL);
    for (uintptr_t i = 0; i < THREADS; i++)
        CHECK(pthread_create(&threads[i], NULL, work, (void *)(i + 1)) == 0);
    for (int i = 0; i < 10; i++) {
        const pid_t child = fork();
        int status = -1;
        if (child == 0) {
            rounds = 10;
            work((void *)(uintptr_t)99);
            _exit(0);
        }
        CHECK(waitpid(child, &status, 0) == child && status == 0);
    }
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    for (int i = 0; i < PASSED; i++)
        drop(passed[i]);
    CHECK(ce_memory_kept() > 0);
    CHECK(ce_memory_kept() <= (size_t)256 << 20);
    return 0;
}
