/* Lets the system refuse what a rule names: a bad sector, a used-up quota, a disk that can't be flushed.
 *
 *   cc -shared -fPIC -O2 -o faults.so faults.c -ldl
 *   LD_PRELOAD=faults.so FAULTS=rules program
 *
 * The file of rules is read anew at each call, so that a fault comes and goes while the program runs. A rule is a line:
 *
 *   read  ERRNO FROM PLACE     bytes from offset FROM on can't be read; those before it can
 *   write ERRNO FROM PLACE     nothing that would take new room: what a file has already may be written over, but not
 *                              where ERRNO is EROFS
 *   flush ERRNO 0 PLACE        fsync and fdatasync
 *
 * PLACE is the beginning of an absolute path, or `#inode`: a bad sector belongs to the bytes, not to their name.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

static const char *file;

__attribute__((constructor)) static void begin(void) { file = getenv("FAULTS"); }

static size_t rules(char *into, size_t room) {
    if (!file) return 0;
    int fd = (int)syscall(SYS_openat, AT_FDCWD, file, O_RDONLY | O_CLOEXEC, 0);
    if (fd < 0) return 0;
    ssize_t length = syscall(SYS_read, fd, into, room - 1);
    syscall(SYS_close, fd);
    if (length <= 0) return 0;
    into[length] = 0;
    return (size_t)length;
}

/* The errno of the rule that is for this call and place, 0 where there is none; `from` is the rule's offset. */
static int found(const char *call, const char *path, uint64_t inode, uint64_t *from) {
    char text[8192], *rest = text, *line;
    int kept = errno, number = 0;
    if (rules(text, sizeof text))
        while (!number && (line = strsep(&rest, "\n"))) {
            char name[16], place[PATH_MAX];
            int code;
            unsigned long long offset;
            if (sscanf(line, "%15s %d %llu %4095[^\n]", name, &code, &offset, place) != 4 || strcmp(name, call)) continue;
            int mine = place[0] == '#' ? inode && strtoull(place + 1, NULL, 10) == inode
                                       : !strncmp(path, place, strlen(place));
            if (mine) number = code, *from = offset;
        }
    errno = kept;
    return number;
}

static int refused(const char *call, int fd, uint64_t *from, uint64_t *size) {
    if (!file) return 0;
    char link[64], path[PATH_MAX];
    struct stat status;
    int kept = errno, number = 0;
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t length = readlink(link, path, sizeof path - 1);
    if (length > 0 && path[0] == '/' && fstat(fd, &status) == 0 && (S_ISREG(status.st_mode) || S_ISDIR(status.st_mode))) {
        path[length] = 0;
        *size = (uint64_t)status.st_size;
        number = found(call, path, status.st_ino, from);
    }
    errno = kept;
    return number;
}

/* How much of a reading is good: all, some, or -1 with errno. */
static ssize_t good(int fd, size_t count, uint64_t offset) {
    uint64_t from = 0, size = 0;
    int number = refused("read", fd, &from, &size);
    if (!number || offset + count <= from || offset >= size) return (ssize_t)count;
    if (offset < from) return (ssize_t)(from - offset);
    errno = number;
    return -1;
}

ssize_t read(int fd, void *into, size_t count) {
    if (file && count) {
        int kept = errno;
        off_t at = lseek(fd, 0, SEEK_CUR);
        errno = kept;
        ssize_t most = at < 0 ? (ssize_t)count : good(fd, count, (uint64_t)at);
        if (most < 0) return -1;
        count = (size_t)most;
    }
    return syscall(SYS_read, fd, into, count);
}

static ssize_t read_at(int fd, void *into, size_t count, off_t offset) {
    ssize_t most = file && count ? good(fd, count, (uint64_t)offset) : (ssize_t)count;
    return most < 0 ? -1 : syscall(SYS_pread64, fd, into, (size_t)most, offset);
}
ssize_t pread(int fd, void *into, size_t count, off_t offset) { return read_at(fd, into, count, offset); }
ssize_t pread64(int fd, void *into, size_t count, off_t offset) { return read_at(fd, into, count, offset); }

/* Whether a write must fail because it would take new room. */
static int no_room(int fd, uint64_t end) {
    uint64_t from = 0, size = 0;
    int number = refused("write", fd, &from, &size);
    if (!number || (number != EROFS && (end <= size || end <= from))) return 0;
    errno = number;
    return 1;
}

ssize_t write(int fd, const void *bytes, size_t count) {
    if (file && count) {
        int kept = errno;
        off_t at = lseek(fd, 0, SEEK_CUR);
        errno = kept;
        if (at >= 0 && no_room(fd, (uint64_t)at + count)) return -1;
    }
    return syscall(SYS_write, fd, bytes, count);
}

static ssize_t write_at(int fd, const void *bytes, size_t count, off_t offset) {
    return no_room(fd, (uint64_t)offset + count) ? -1 : syscall(SYS_pwrite64, fd, bytes, count, offset);
}
ssize_t pwrite(int fd, const void *bytes, size_t count, off_t offset) { return write_at(fd, bytes, count, offset); }
ssize_t pwrite64(int fd, const void *bytes, size_t count, off_t offset) { return write_at(fd, bytes, count, offset); }

static int cut(int fd, off_t size) { return no_room(fd, (uint64_t)size) ? -1 : (int)syscall(SYS_ftruncate, fd, size); }
int ftruncate(int fd, off_t size) { return cut(fd, size); }
int ftruncate64(int fd, off_t size) { return cut(fd, size); }

static int allocated(int fd, off_t offset, off_t size) {
    if (no_room(fd, (uint64_t)(offset + size))) return errno;
    return syscall(SYS_fallocate, fd, 0, offset, size) ? errno : 0;
}
int posix_fallocate(int fd, off_t offset, off_t size) { return allocated(fd, offset, size); }
int posix_fallocate64(int fd, off_t offset, off_t size) { return allocated(fd, offset, size); }

static int flushed(long call, int fd) {
    uint64_t from = 0, size = 0;
    int number = refused("flush", fd, &from, &size);
    if (!number) return (int)syscall(call, fd);
    errno = number;
    return -1;
}
int fsync(int fd) { return flushed(SYS_fsync, fd); }
int fdatasync(int fd) { return flushed(SYS_fdatasync, fd); }

/* A new name takes room too. */
static int new_name(int folder, const char *name) {
    if (!file || !name || name[0] != '/') return 0; /* Python's and SQLite's names are absolute here */
    (void)folder;
    uint64_t from = 0;
    struct stat status;
    int kept = errno, number = found("write", name, 0, &from);
    if (number && lstat(name, &status) == 0) number = 0;
    errno = number && from == 0 ? number : kept;
    return number && from == 0;
}

static int opened(int folder, const char *name, int flags, mode_t mode) {
    if ((flags & O_CREAT) && new_name(folder, name)) return -1;
    return (int)syscall(SYS_openat, folder, name, flags, mode);
}

#define MODE(flags) \
    mode_t mode = 0; \
    if ((flags) & (O_CREAT | O_TMPFILE)) { va_list more; va_start(more, flags); mode = va_arg(more, mode_t); va_end(more); }

int open(const char *name, int flags, ...) { MODE(flags) return opened(AT_FDCWD, name, flags, mode); }
int open64(const char *name, int flags, ...) { MODE(flags) return opened(AT_FDCWD, name, flags, mode); }
int openat(int folder, const char *name, int flags, ...) { MODE(flags) return opened(folder, name, flags, mode); }
int openat64(int folder, const char *name, int flags, ...) { MODE(flags) return opened(folder, name, flags, mode); }

int mkdirat(int folder, const char *name, mode_t mode) {
    return new_name(folder, name) ? -1 : (int)syscall(SYS_mkdirat, folder, name, mode);
}
int mkdir(const char *name, mode_t mode) { return mkdirat(AT_FDCWD, name, mode); }
