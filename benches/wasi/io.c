// What a guest asks of WASI most, over and over: `io OPERATION COUNT` in a directory that it may write. Prints the
// nanoseconds that it took, on standard error.
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

static char block[65536];

static void check(int good, const char *what) {
    if (!good) {
        fprintf(stderr, "io: %s: %s\n", what, strerror(errno));
        exit(1);
    }
}

static int file(int flags) {
    int fd = open("data", flags, 0666);
    check(fd >= 0, "data");
    return fd;
}

static void write_file(long count, size_t size) {
    int fd = file(O_CREAT | O_TRUNC | O_WRONLY);
    for (long i = 0; i < count; i++) {
        // A file of 16 MiB, written again and again: the memory of the system is not what is measured.
        if (i * size % (16 << 20) == 0) check(lseek(fd, 0, SEEK_SET) == 0, "lseek");
        check(write(fd, block, size) == (ssize_t)size, "write");
    }
    close(fd);
}

static void read_file(long count, size_t size) {
    int fd = file(O_RDONLY);
    for (long i = 0; i < count; i++) {
        ssize_t n = read(fd, block, size);
        check(n >= 0, "read");
        if (n < (ssize_t)size) check(lseek(fd, 0, SEEK_SET) == 0, "lseek");
    }
    close(fd);
}

static void read_at(long count) {
    int fd = file(O_RDONLY);
    unsigned at = 1;
    for (long i = 0; i < count; i++) {
        at = at * 1103515245u + 12345u;
        check(pread(fd, block, 512, at % (8 << 20)) == 512, "pread");
    }
    close(fd);
}

static void gather(long count) {
    int fd = file(O_CREAT | O_TRUNC | O_WRONLY);
    struct iovec parts[8];
    for (int i = 0; i < 8; i++) parts[i] = (struct iovec){block + i * 1024, 128};
    for (long i = 0; i < count; i++) {
        if (i % 16384 == 0) check(lseek(fd, 0, SEEK_SET) == 0, "lseek");
        // An engine may write less than all, but no less than one.
        for (int part = 0; part < 8;) {
            ssize_t n = writev(fd, parts + part, 8 - part);
            check(n > 0 && n % 128 == 0, "writev");
            part += n / 128;
        }
    }
    close(fd);
}

static void list(long count) {
    mkdir("many", 0777);
    char name[64];
    for (int i = 0; i < 1000; i++) {
        snprintf(name, sizeof name, "many/entry-%04d", i);
        int fd = open(name, O_CREAT | O_WRONLY, 0666);
        check(fd >= 0, name);
        close(fd);
    }
    for (long i = 0; i < count; i++) {
        DIR *dir = opendir("many");
        check(dir != NULL, "many");
        int seen = 0;
        while (readdir(dir) != NULL) seen++;
        closedir(dir);
        check(seen >= 1000, "readdir");
    }
}

static void deep(void) {
    mkdir("a", 0777), mkdir("a/b", 0777), mkdir("a/b/c", 0777);
    int fd = open("a/b/c/file", O_CREAT | O_WRONLY, 0666);
    check(fd >= 0, "a/b/c/file");
    close(fd);
}

static void stat_files(long count) {
    struct stat stats;
    deep();
    for (long i = 0; i < count; i++) check(stat("a/b/c/file", &stats) == 0, "stat");
}

static void open_files(long count) {
    deep();
    for (long i = 0; i < count; i++) {
        int fd = open("a/b/c/file", O_RDONLY);
        check(fd >= 0, "open");
        close(fd);
    }
}

static void create_files(long count) {
    for (long i = 0; i < count; i++) {
        int fd = open("fresh", O_CREAT | O_EXCL | O_WRONLY, 0666);
        check(fd >= 0, "create");
        close(fd);
        check(rename("fresh", "old") == 0, "rename");
        check(unlink("old") == 0, "unlink");
    }
}

static void lines(long count) {
    for (long i = 0; i < count; i++) check(write(1, "a line of output, as programs write it, without a buffer\n", 57) == 57, "line");
}

static void input(long count) {
    for (long i = 0; i < count; i++) check(read(0, block, 4096) == 4096, "input");
}

static void clocks(long count) {
    struct timespec now;
    for (long i = 0; i < count; i++) check(clock_gettime(CLOCK_MONOTONIC, &now) == 0, "clock");
}

int main(int argc, char **argv) {
    if (argc != 3) {
        fprintf(stderr, "usage: io OPERATION COUNT\n");
        return 2;
    }
    const char *what = argv[1];
    long count = atol(argv[2]);
    // What is read must be there.
    if (strncmp(what, "read", 4) == 0) write_file(256, 65536);
    struct timespec start, end;
    clock_gettime(CLOCK_MONOTONIC, &start);
    if (strcmp(what, "write-4k") == 0) write_file(count, 4096);
    else if (strcmp(what, "write-64k") == 0) write_file(count, 65536);
    else if (strcmp(what, "read-4k") == 0) read_file(count, 4096);
    else if (strcmp(what, "read-64k") == 0) read_file(count, 65536);
    else if (strcmp(what, "read-at-512") == 0) read_at(count);
    else if (strcmp(what, "gather-8x128") == 0) gather(count);
    else if (strcmp(what, "list-1000") == 0) list(count);
    else if (strcmp(what, "stat") == 0) stat_files(count);
    else if (strcmp(what, "open-close") == 0) open_files(count);
    else if (strcmp(what, "create-rename-unlink") == 0) create_files(count);
    else if (strcmp(what, "stdout-line") == 0) lines(count);
    else if (strcmp(what, "stdin-4k") == 0) input(count);
    else if (strcmp(what, "clock") == 0) clocks(count);
    else {
        fprintf(stderr, "io: no operation is called %s\n", what);
        return 2;
    }
    clock_gettime(CLOCK_MONOTONIC, &end);
    fprintf(stderr, "%lld\n", (end.tv_sec - start.tv_sec) * 1000000000LL + (end.tv_nsec - start.tv_nsec));
    return 0;
}
