/* Shows a program another time: preloaded, it adds to the clock of the day what a file says, in whole seconds, as it
   says it at that moment. The clock that only counts stays as it is, as it does where somebody sets a machine's clock.
   libfaketime does the same, but takes ten times as long for it as the farm does for its work. */

#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <semaphore.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

static int (*true_clock_gettime)(clockid_t, struct timespec *);
static int (*true_sem_timedwait)(sem_t *, const struct timespec *);
static const volatile long long *offset;

__attribute__((constructor)) static void prepare(void) {
    true_clock_gettime = dlsym(RTLD_NEXT, "clock_gettime");
    true_sem_timedwait = dlsym(RTLD_NEXT, "sem_timedwait");
    const char *path = getenv("FALSE_CLOCK");
    int file = path ? open(path, O_RDONLY | O_CLOEXEC) : -1;
    void *mapped = file < 0 ? MAP_FAILED : mmap(NULL, sizeof *offset, PROT_READ, MAP_SHARED, file, 0);
    offset = mapped == MAP_FAILED ? NULL : mapped;
    if (file >= 0)
        close(file);
}

static long long now_off(void) { return offset ? *offset : 0; }

int clock_gettime(clockid_t clock, struct timespec *at) {
    if (!true_clock_gettime)
        prepare();
    int failed = true_clock_gettime(clock, at);
    if (!failed && (clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE))
        at->tv_sec += now_off();
    return failed;
}

int gettimeofday(struct timeval *restrict at, void *restrict zone) {
    struct timespec now;
    (void)zone;
    clock_gettime(CLOCK_REALTIME, &now);
    at->tv_sec = now.tv_sec;
    at->tv_usec = now.tv_nsec / 1000;
    return 0;
}

time_t time(time_t *at) {
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    if (at)
        *at = now.tv_sec;
    return now.tv_sec;
}

/* What is waited for until a time of the false clock, the kernel waits for by the true one. */
int sem_timedwait(sem_t *restrict semaphore, const struct timespec *restrict until) {
    struct timespec due = *until;
    due.tv_sec -= now_off();
    return true_sem_timedwait(semaphore, &due);
}
