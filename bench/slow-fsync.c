/* Makes every fsync and fdatasync of a process take longer, by SLOW_FSYNC_US microseconds. For LD_PRELOAD. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <stdlib.h>
#include <time.h>

static void wait_longer(void)
{
    const char *us = getenv("SLOW_FSYNC_US");
    long long ns = us == NULL ? 0 : atoll(us) * 1000;
    struct timespec left = { ns / 1000000000, ns % 1000000000 };
    while (nanosleep(&left, &left) != 0 && errno == EINTR) { }
}

static int longer(const char *name, int file)
{
    int (*real)(int) = (int (*)(int))dlsym(RTLD_NEXT, name);
    int result = real(file);
    int error = errno;
    wait_longer();
    errno = error;
    return result;
}

int fsync(int file) { return longer("fsync", file); }
int fdatasync(int file) { return longer("fdatasync", file); }
