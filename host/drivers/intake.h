/* Takes in what others bring over HTTP and only want to know to be safe: a thread with an event
 * loop and a file of its own reads the requests, makes their bodies durable and answers 200. What
 * they say is worked off later, in the thread of the main loop, which may be as busy as it likes.
 *
 * Servers of the main loop send their connections here with the first request that fits (see
 * pl_http_route). A request that does not - another path, a wrong secret, a body that is no JSON, a
 * source with too much waiting - goes there with its connection, to be answered. */
#ifndef PL_DRIVERS_INTAKE_H
#define PL_DRIVERS_INTAKE_H

#include "drivers/http_server.h"
#include "drivers/sqlite.h"

struct pl_intake;

struct pl_intake_config {
    struct pl_sqlite_config file; /* path, scratch, pages_max */
    const char *prefix;   /* of the targets, e.g. "/tg/webhook/"; the rest is the source's name */
    const char *header;   /* where the source's secret stands */
    const char *field;    /* of the body, which has to be a whole number from 0 to 2^53 there */
    uint32_t body_max;    /* bytes of one body; longer ones are for the main loop */
    uint32_t depth_max;   /* of the JSON in it */
    uint32_t waiting_max; /* rows of one source that are not done */
    uint64_t bytes_max;   /* of all of them */
    struct pl_http_config http; /* limits of the connections while they are here */
};

/* Something that is durable and was acknowledged; or, with err.code, what could not be. */
struct pl_intake_row {
    struct pl_list link;
    int64_t id;
    uint64_t took_ns; /* from the complete request until it was durable; 0: by a process before */
    struct pl_buf body;
    struct pl_err err;
    char source[65];
};

struct pl_intake_stats {
    struct pl_http_stats http; /* a moment old */
    uint64_t rows;             /* that were acknowledged */
    uint64_t failed;           /* that could not be stored */
    uint64_t commits;
    uint64_t waiting; /* rows that are not done */
};

/* Opens the file, takes up what is in it, and starts the thread. Blocks for the file system. */
struct pl_intake *pl_intake_open(struct pl_loop *loop, const struct pl_intake_config *config,
                                 struct pl_err *err);

/* A source may bring from now on, with this secret; it may not any more. A name has at most 64
 * bytes. */
void pl_intake_allow(struct pl_intake *in, const char *name, const char *secret, size_t len);
void pl_intake_deny(struct pl_intake *in, const char *name);

/* Has a server send what fits. Until the intake is closed the server is kept. The first one's
 * socket is the thread's, too, unless it speaks TLS: who connects does not wait for the main loop.
 */
void pl_intake_serve(struct pl_intake *in, struct pl_http_server *server);

/* Waits until there is a row; pl_intake_take has it then. NULL when somebody waits already.
 * "closed" when nothing comes any more. */
struct pl_op *pl_intake_wait(struct pl_intake *in, struct pl_owner *owner, uint64_t deadline_ns);

/* The oldest row that nobody has taken, NULL: none. It is the caller's, for pl_intake_row_free. */
struct pl_intake_row *pl_intake_take(struct pl_intake *in);
void pl_intake_row_free(struct pl_intake_row *row);

/* Something else keeps what the row says: it need not be kept here. */
void pl_intake_done(struct pl_intake *in, const char *source, int64_t id, size_t bytes);

/* How many rows of a source are not done. */
uint32_t pl_intake_waiting(struct pl_intake *in, const char *source);

void pl_intake_stats(struct pl_intake *in, struct pl_intake_stats *out);

/* Closes connections that are idle; what is under way is answered with "Connection: close". */
void pl_intake_drain(struct pl_intake *in);

/* Ends the thread, after what it is at; closes every connection that is there. What is not done is
 * taken up by whoever opens the file next. */
void pl_intake_close(struct pl_intake *in);

#endif
