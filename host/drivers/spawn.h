/* Starting another program: its process, three streams, exec. */
#ifndef PL_DRIVERS_SPAWN_H
#define PL_DRIVERS_SPAWN_H

#include "base/err.h"

#include <stdbool.h>
#include <sys/types.h>

/* Where a standard stream of the program leads. */
enum pl_stream {
    PL_STREAM_NULL,    /* /dev/null */
    PL_STREAM_PIPE,    /* to us */
    PL_STREAM_INHERIT, /* where ours leads */
    PL_STREAM_FILE,    /* `path`: read from it, or emptied (or made) and written to */
    PL_STREAM_STDOUT,  /* stderr only: where stdout leads */
    PL_STREAM_SOCKET,  /* stdin only: a stream socket to us, for both directions */
};

struct pl_spawn_options {
    char *const *argv; /* ends with NULL; argv[0] is looked up in our PATH when it has no slash */
    char *const *env;  /* NAME=value, ends with NULL; NULL: ours */
    const char *cwd;   /* NULL: ours; a relative argv[0] with a slash starts from here */
    struct {
        enum pl_stream kind;
        const char *path;
    } streams[3];
};

/* Starts the program and returns its pid, with our ends of its pipes and socket in ours[] (-1:
 * neither), which close on exec. It gets its three streams and no other descriptor, default signal
 * handlers, and SIGKILL when the calling thread ends. That thread waits until the program has
 * begun, about a millisecond; any thread may call it. From here on a closed pipe is an error code
 * for this whole process, not SIGPIPE. -1 with `err` when a file cannot be opened or the program
 * cannot be started: "not_found", "permission", ... */
pid_t pl_spawn(const struct pl_spawn_options *options, int ours[3], struct pl_err *err);

#endif
