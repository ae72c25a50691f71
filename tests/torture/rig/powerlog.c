/* Writes down, in their order, the calls by which a process changes the files below a folder: what was written, what
 * was flushed, what was renamed. From that the state of the disk after a power cut at any moment can be built.
 *
 *   cc -shared -fPIC -O2 -o powerlog.so powerlog.c -ldl
 *   LD_PRELOAD=powerlog.so POWERLOG=file POWERLOG_ROOT=/folder program
 *
 * A record: op (1), inode (8), offset (8), lengths of two texts (4, 4), the texts; little endian.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

static int sink = -1;
static const char *root;
static size_t root_length;
static pthread_mutex_t guard = PTHREAD_MUTEX_INITIALIZER;

#define REAL(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))

__attribute__((constructor)) static void begin(void) {
    const char *path = getenv("POWERLOG");
    root = getenv("POWERLOG_ROOT");
    if (!path || !root) return;
    root_length = strlen(root);
    sink = (int)syscall(SYS_openat, AT_FDCWD, path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
}

static int ours(const char *path) {
    return sink >= 0 && path && strncmp(path, root, root_length) == 0 && (path[root_length] == '/' || !path[root_length]);
}

/* The absolute path of a name, which may be relative to a folder that is open. */
static const char *absolute(int folder, const char *name, char *into) {
    if (!name || name[0] == '/' || sink < 0) return name;
    char link[64];
    snprintf(link, sizeof link, folder == AT_FDCWD ? "/proc/self/cwd" : "/proc/self/fd/%d", folder);
    ssize_t length = readlink(link, into, PATH_MAX - 1);
    if (length < 0) return name;
    snprintf(into + length, (size_t)(PATH_MAX - length), "/%s", name);
    return into;
}

static int ours_open(int fd, struct stat *status) {
    if (sink < 0) return 0;
    char link[64], path[PATH_MAX];
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t length = readlink(link, path, sizeof path - 1);
    if (length < 0) return 0;
    path[length] = 0;
    return ours(path) && fstat(fd, status) == 0;
}

static void tell(char op, uint64_t inode, uint64_t offset, const void *one, uint32_t one_length, const void *two,
                 uint32_t two_length) {
    char head[25];
    head[0] = op;
    memcpy(head + 1, &inode, 8);
    memcpy(head + 9, &offset, 8);
    memcpy(head + 17, &one_length, 4);
    memcpy(head + 21, &two_length, 4);
    struct iovec parts[3] = {{head, sizeof head}, {(void *)one, one_length}, {(void *)two, two_length}};
    int kept = errno;
    syscall(SYS_writev, sink, parts, 3);
    errno = kept;
}

static void lock(void) { if (sink >= 0) pthread_mutex_lock(&guard); }
static void unlock(void) { if (sink >= 0) pthread_mutex_unlock(&guard); }

static int opened(int folder, const char *name, int flags, mode_t mode) {
    char space[PATH_MAX];
    const char *path = absolute(folder, name, space);
    struct stat before, after;
    int changes = ours(path) && (flags & (O_CREAT | O_TRUNC));
    if (changes) lock();
    int was = changes && stat(path, &before) == 0;
    int fd = (int)syscall(SYS_openat, folder, name, flags, mode);
    if (changes) {
        if (fd >= 0 && fstat(fd, &after) == 0) {
            if (!was) tell('c', after.st_ino, 0, path, (uint32_t)strlen(path), "", 0);
            else if (flags & O_TRUNC) tell('t', after.st_ino, 0, "", 0, "", 0);
        }
        unlock();
    }
    return fd;
}

#define MODE(flags) \
    mode_t mode = 0; \
    if ((flags) & (O_CREAT | O_TMPFILE)) { va_list more; va_start(more, flags); mode = va_arg(more, mode_t); va_end(more); }

int open(const char *name, int flags, ...) { MODE(flags) return opened(AT_FDCWD, name, flags, mode); }
int open64(const char *name, int flags, ...) { MODE(flags) return opened(AT_FDCWD, name, flags, mode); }
int openat(int folder, const char *name, int flags, ...) { MODE(flags) return opened(folder, name, flags, mode); }
int openat64(int folder, const char *name, int flags, ...) { MODE(flags) return opened(folder, name, flags, mode); }

ssize_t write(int fd, const void *bytes, size_t count) {
    struct stat status;
    if (sink < 0 || fd == sink || !ours_open(fd, &status) || !S_ISREG(status.st_mode)) return syscall(SYS_write, fd, bytes, count);
    lock();
    ssize_t done = syscall(SYS_write, fd, bytes, count);
    if (done > 0) tell('w', status.st_ino, (uint64_t)(lseek(fd, 0, SEEK_CUR) - done), bytes, (uint32_t)done, "", 0);
    unlock();
    return done;
}

static ssize_t written_at(int fd, const void *bytes, size_t count, off_t offset) {
    struct stat status;
    if (!ours_open(fd, &status)) return syscall(SYS_pwrite64, fd, bytes, count, offset);
    lock();
    ssize_t done = syscall(SYS_pwrite64, fd, bytes, count, offset);
    if (done > 0) tell('w', status.st_ino, (uint64_t)offset, bytes, (uint32_t)done, "", 0);
    unlock();
    return done;
}
ssize_t pwrite(int fd, const void *bytes, size_t count, off_t offset) { return written_at(fd, bytes, count, offset); }
ssize_t pwrite64(int fd, const void *bytes, size_t count, off_t offset) { return written_at(fd, bytes, count, offset); }

static int cut(int fd, off_t size) {
    struct stat status;
    int mine = ours_open(fd, &status);
    if (mine) lock();
    int done = (int)syscall(SYS_ftruncate, fd, size);
    if (mine) {
        if (done == 0) tell('t', status.st_ino, (uint64_t)size, "", 0, "", 0);
        unlock();
    }
    return done;
}
int ftruncate(int fd, off_t size) { return cut(fd, size); }
int ftruncate64(int fd, off_t size) { return cut(fd, size); }

static int flushed(long call, int fd) {
    struct stat status;
    int mine = ours_open(fd, &status);
    if (mine) lock();
    int done = (int)syscall(call, fd);
    if (mine) {
        if (done == 0) tell('s', status.st_ino, 0, "", 0, "", 0);
        unlock();
    }
    return done;
}
int fsync(int fd) { return flushed(SYS_fsync, fd); }
int fdatasync(int fd) { return flushed(SYS_fdatasync, fd); }

int renameat(int from_folder, const char *from, int to_folder, const char *to) {
    char space[PATH_MAX], more[PATH_MAX];
    const char *one = absolute(from_folder, from, space), *two = absolute(to_folder, to, more);
    int mine = ours(one) || ours(two);
    if (mine) lock();
    int done = (int)syscall(SYS_renameat2, from_folder, from, to_folder, to, 0);
    if (mine) {
        if (done == 0) tell('r', 0, 0, one, (uint32_t)strlen(one), two, (uint32_t)strlen(two));
        unlock();
    }
    return done;
}
int rename(const char *from, const char *to) { return renameat(AT_FDCWD, from, AT_FDCWD, to); }

int unlinkat(int folder, const char *name, int flags) {
    char space[PATH_MAX];
    const char *path = absolute(folder, name, space);
    int mine = ours(path);
    if (mine) lock();
    int done = (int)syscall(SYS_unlinkat, folder, name, flags);
    if (mine) {
        if (done == 0) tell('u', 0, 0, path, (uint32_t)strlen(path), "", 0);
        unlock();
    }
    return done;
}
int unlink(const char *name) { return unlinkat(AT_FDCWD, name, 0); }
int rmdir(const char *name) { return unlinkat(AT_FDCWD, name, AT_REMOVEDIR); }

int mkdirat(int folder, const char *name, mode_t mode) {
    char space[PATH_MAX];
    const char *path = absolute(folder, name, space);
    struct stat status;
    int mine = ours(path);
    if (mine) lock();
    int done = (int)syscall(SYS_mkdirat, folder, name, mode);
    if (mine) {
        if (done == 0 && stat(path, &status) == 0) tell('m', status.st_ino, 0, path, (uint32_t)strlen(path), "", 0);
        unlock();
    }
    return done;
}
int mkdir(const char *name, mode_t mode) { return mkdirat(AT_FDCWD, name, mode); }
