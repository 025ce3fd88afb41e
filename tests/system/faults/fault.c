/* faults/fault.c -- preloaded: the FAULT_AT-th call of a kind fails, as a full disk or a machine without memory makes
 * it.
 *
 * FAULT_KIND: memory, open, read, write, sync, rename, map, thread.
 * FAULT_HOW: the name of an error (ENOMEM, EIO, ENOSPC, EMFILE, EACCES, EINTR, EAGAIN).
 * FAULT_HOW=short: half of what was asked for. end: nothing, as at the end of a file. kill: the process is killed.
 * FAULT_AT: which call of those that can fail so; 0: none. FAULT_FROM=1: all later ones too.
 * FAULT_LOG: a file, written at the end. It has a line for each kind with how many of its calls can fail
 * - by an error that is final;
 * - by one after which it is tried again (EINTR, short);
 * - by an end.
 *
 * FAULT_SITES=1: its lines are the number of the first call of each place instead. A place is told by its stack.
 * Calls are counted from main's setlocale on, but for reads of standard input and writes to standard error. */
#define _GNU_SOURCE
#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <execinfo.h>
#include <fcntl.h>
#include <locale.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

enum kind { MEMORY, OPEN, READ, WRITE, SYNC, RENAME, MAP, THREAD, KINDS };
enum how { ERROR, SHORT, END, KILL };
/* How a call can fail: bits of `ways`. */
enum { FINAL, AGAIN, ENDS, WAYS };
enum { BY_ERROR = 1 << FINAL, BY_BOTH = BY_ERROR | 1 << AGAIN, BY_END = 1 << ENDS };

static const char *const kinds[KINDS] = {"memory", "open", "read", "write", "sync", "rename", "map", "thread"};
static const struct {
    const char *name;
    int number;
} errors[] = {{"ENOMEM", ENOMEM}, {"EIO", EIO},     {"ENOSPC", ENOSPC}, {"EMFILE", EMFILE},
              {"EACCES", EACCES}, {"EINTR", EINTR}, {"EAGAIN", EAGAIN}};

static struct {
    int kind, number;
    enum how how;
    int way;
    long at;
    int from;
    char log[4096];
} fault = {.kind = -1, .number = EIO};
static atomic_long calls[KINDS][WAYS];
static atomic_int counting;

/* ---- places: stacks that were seen, by their hash ---- */

enum { PLACES = 1 << 16, DEPTH = 24 };
static atomic_ulong seen[PLACES];
static long first[PLACES];
static atomic_int places;
static int noting;
static _Thread_local int inside;

static void note_place(long number)
{
    void *stack[DEPTH];
    inside = 1;
    const int depth = backtrace(stack, DEPTH);
    inside = 0;
    unsigned long hash = 1469598103934665603ul;
    for (int i = 2; i < depth; i++) hash = (hash ^ (unsigned long)stack[i]) * 1099511628211ul;
    for (size_t at = (hash >> 20) % PLACES, tries = 0; tries < PLACES; at = (at + 1) % PLACES, tries++) {
        unsigned long empty = 0;
        if (atomic_compare_exchange_strong(&seen[at], &empty, hash)) {
            const int place = atomic_fetch_add(&places, 1);
            if (place < PLACES) first[place] = number;
            return;
        }
        if (empty == hash) return;
    }
}

__attribute__((constructor)) static void begin(void)
{
    const char *kind = getenv("FAULT_KIND"), *how = getenv("FAULT_HOW"), *at = getenv("FAULT_AT"),
               *log = getenv("FAULT_LOG");
    for (int i = 0; kind && i < KINDS; i++)
        if (strcmp(kind, kinds[i]) == 0) fault.kind = i;
    for (size_t i = 0; how && i < sizeof errors / sizeof *errors; i++)
        if (strcmp(how, errors[i].name) == 0) fault.number = errors[i].number;
    if (how)
        fault.how = !strcmp(how, "short") ? SHORT : !strcmp(how, "end") ? END : !strcmp(how, "kill") ? KILL : ERROR;
    fault.way = fault.how == END ? ENDS : fault.how == SHORT || fault.number == EINTR ? AGAIN : FINAL;
    if (at) fault.at = atol(at);
    fault.from = getenv("FAULT_FROM") != NULL;
    noting = getenv("FAULT_SITES") != NULL;
    void *warm[2]; /* the first call of it allocates */
    if (noting) (void)backtrace(warm, 2);
    if (log) snprintf(fault.log, sizeof fault.log, "%s", log);
}

#define REAL(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))

/* Written by system calls alone: whatever failed must not be in its way. */
static void tell(void)
{
    char text[128];
    if (!fault.log[0]) return;
    const int file = REAL(open)(fault.log, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
    if (file < 0) return;
    ssize_t written = 0;
    for (int i = 0; i < KINDS && !noting; i++) {
        const int length =
            snprintf(text, sizeof text, "%s %ld %ld %ld\n", kinds[i], calls[i][FINAL], calls[i][AGAIN], calls[i][ENDS]);
        written = REAL(write)(file, text, (size_t)length);
    }
    for (int i = 0; i < places && i < PLACES; i++)
        written = REAL(write)(file, text, (size_t)snprintf(text, sizeof text, "%ld\n", first[i]));
    (void)written;
    REAL(close)(file);
}

__attribute__((destructor)) static void finish(void)
{
    atomic_store(&counting, 0);
    tell();
}

/* Is this call, which can fail in `ways`, the one? errno is set then. */
static int fails(enum kind kind, int ways)
{
    if (!atomic_load_explicit(&counting, memory_order_relaxed) || inside) return 0;
    long number = 0;
    for (int way = 0; way < WAYS; way++)
        if (ways >> way & 1) {
            const long before = atomic_fetch_add(&calls[kind][way], 1);
            if (way == fault.way) number = before + 1;
        }
    if ((int)kind != fault.kind || number == 0) return 0;
    if (noting) note_place(number);
    if (fault.at == 0 || (number != fault.at && !(fault.from && number > fault.at))) return 0;
    if (fault.how == KILL) kill(getpid(), SIGKILL);
    errno = fault.number;
    return 1;
}

char *setlocale(int category, const char *name)
{
    char *result = REAL(setlocale)(category, name);
    atomic_store(&counting, 1);
    return result;
}

/* ---- memory ---- */

extern void *__libc_malloc(size_t);
extern void *__libc_calloc(size_t, size_t);
extern void *__libc_realloc(void *, size_t);
extern void *__libc_memalign(size_t, size_t);

void *malloc(size_t bytes)
{
    return fails(MEMORY, BY_ERROR) ? NULL : __libc_malloc(bytes);
}
void *calloc(size_t count, size_t size)
{
    return fails(MEMORY, BY_ERROR) ? NULL : __libc_calloc(count, size);
}
void *realloc(void *block, size_t bytes)
{
    return fails(MEMORY, BY_ERROR) ? NULL : __libc_realloc(block, bytes);
}
void *memalign(size_t alignment, size_t bytes)
{
    return fails(MEMORY, BY_ERROR) ? NULL : __libc_memalign(alignment, bytes);
}
void *aligned_alloc(size_t alignment, size_t bytes)
{
    return fails(MEMORY, BY_ERROR) ? NULL : __libc_memalign(alignment, bytes);
}
int posix_memalign(void **out, size_t alignment, size_t bytes)
{
    const int before = errno;
    if (fails(MEMORY, BY_ERROR)) {
        errno = before;
        return ENOMEM;
    }
    *out = __libc_memalign(alignment, bytes);
    return *out ? 0 : ENOMEM;
}

/* ---- opening ---- */

static mode_t mode_of(int flags, va_list arguments)
{
    return flags & (O_CREAT | O_TMPFILE) ? va_arg(arguments, mode_t) : 0;
}

int open(const char *path, int flags, ...)
{
    va_list arguments;
    va_start(arguments, flags);
    const mode_t mode = mode_of(flags, arguments);
    va_end(arguments);
    return fails(OPEN, BY_ERROR) ? -1 : REAL(open)(path, flags, mode);
}
int open64(const char *path, int flags, ...)
{
    va_list arguments;
    va_start(arguments, flags);
    const mode_t mode = mode_of(flags, arguments);
    va_end(arguments);
    return fails(OPEN, BY_ERROR) ? -1 : REAL(open64)(path, flags, mode);
}
int openat(int folder, const char *path, int flags, ...)
{
    va_list arguments;
    va_start(arguments, flags);
    const mode_t mode = mode_of(flags, arguments);
    va_end(arguments);
    return fails(OPEN, BY_ERROR) ? -1 : REAL(openat)(folder, path, flags, mode);
}
FILE *fopen(const char *path, const char *mode)
{
    return fails(OPEN, BY_ERROR) ? NULL : REAL(fopen)(path, mode);
}
FILE *fopen64(const char *path, const char *mode)
{
    return fails(OPEN, BY_ERROR) ? NULL : REAL(fopen64)(path, mode);
}
FILE *fdopen(int number, const char *mode)
{
    return fails(OPEN, BY_ERROR) ? NULL : REAL(fdopen)(number, mode);
}
DIR *opendir(const char *path)
{
    return fails(OPEN, BY_ERROR) ? NULL : REAL(opendir)(path);
}
int memfd_create(const char *name, unsigned flags)
{
    return fails(OPEN, BY_ERROR) ? -1 : REAL(memfd_create)(name, flags);
}

/* ---- reading ---- */

ssize_t read(int file, void *to, size_t count)
{
    if (file > 2 && fails(READ, BY_BOTH | BY_END)) {
        if (fault.how == END) return 0;
        if (fault.how == ERROR) return -1;
        count = (count + 1) / 2;
    }
    return REAL(read)(file, to, count);
}
ssize_t pread(int file, void *to, size_t count, off_t at)
{
    if (fails(READ, BY_BOTH | BY_END)) {
        if (fault.how == END) return 0;
        if (fault.how == ERROR) return -1;
        count = (count + 1) / 2;
    }
    return REAL(pread)(file, to, count, at);
}
ssize_t pread64(int file, void *to, size_t count, off_t at)
{
    return pread(file, to, count, at);
}
struct dirent *readdir(DIR *folder)
{
    return fails(READ, BY_ERROR) ? NULL : REAL(readdir)(folder);
}

/* The C library's own reading of a stream calls no `read` that could be replaced. */
static int stream_fails(enum kind kind, FILE *stream)
{
    if (!fails(kind, kind == READ ? BY_ERROR | BY_END : BY_ERROR)) return 0;
    stream->_flags |= fault.how == END ? 0x10 : 0x20; /* glibc: seen the end, an error */
    return 1;
}
size_t fread(void *to, size_t size, size_t count, FILE *stream)
{
    return stream_fails(READ, stream) ? 0 : REAL(fread)(to, size, count, stream);
}
char *fgets(char *to, int count, FILE *stream)
{
    return stream_fails(READ, stream) ? NULL : REAL(fgets)(to, count, stream);
}

/* ---- writing ---- */

ssize_t write(int file, const void *from, size_t count)
{
    if (file != 2 && fails(WRITE, BY_BOTH)) {
        if (fault.how != SHORT) return -1;
        count = (count + 1) / 2;
    }
    return REAL(write)(file, from, count);
}
ssize_t pwrite(int file, const void *from, size_t count, off_t at)
{
    if (fails(WRITE, BY_BOTH)) {
        if (fault.how != SHORT) return -1;
        count = (count + 1) / 2;
    }
    return REAL(pwrite)(file, from, count, at);
}
size_t fwrite(const void *from, size_t size, size_t count, FILE *stream)
{
    return stream != stderr && stream_fails(WRITE, stream) ? 0 : REAL(fwrite)(from, size, count, stream);
}
int fflush(FILE *stream)
{
    return stream && stream != stderr && stream_fails(WRITE, stream) ? EOF : REAL(fflush)(stream);
}
int fclose(FILE *stream)
{
    const int failed = fails(WRITE, BY_ERROR), number = errno;
    const int result = REAL(fclose)(stream);
    if (failed) errno = number;
    return failed ? EOF : result;
}
int ftruncate(int file, off_t bytes)
{
    return fails(WRITE, BY_ERROR) ? -1 : REAL(ftruncate)(file, bytes);
}

int fsync(int file)
{
    return fails(SYNC, BY_ERROR) ? -1 : REAL(fsync)(file);
}
int fdatasync(int file)
{
    return fails(SYNC, BY_ERROR) ? -1 : REAL(fdatasync)(file);
}
int rename(const char *from, const char *to)
{
    return fails(RENAME, BY_ERROR) ? -1 : REAL(rename)(from, to);
}
int linkat(int a, const char *from, int b, const char *to, int flags)
{
    return fails(RENAME, BY_ERROR) ? -1 : REAL(linkat)(a, from, b, to, flags);
}
int mkdir(const char *path, mode_t mode)
{
    return fails(RENAME, BY_ERROR) ? -1 : REAL(mkdir)(path, mode);
}

/* ---- the rest ---- */

void *mmap(void *at, size_t bytes, int protection, int flags, int file, off_t offset)
{
    return fails(MAP, BY_ERROR) ? MAP_FAILED : REAL(mmap)(at, bytes, protection, flags, file, offset);
}
int pthread_create(pthread_t *thread, const pthread_attr_t *attributes, void *(*body)(void *), void *argument)
{
    const int before = errno;
    if (fails(THREAD, BY_ERROR)) {
        errno = before;
        return EAGAIN;
    }
    return REAL(pthread_create)(thread, attributes, body, argument);
}
