/* What the parts of the control socket share. */
#ifndef PL_LOOP_SUPERVISOR_CONTROL_H
#define PL_LOOP_SUPERVISOR_CONTROL_H

#include "loop/supervisor_impl.h"

#define PL_SV_CONTROL "control"
/* From accept, or the last reply, to a whole request. */
#define PL_SV_REQUEST_NS (10 * PL_NS_PER_S)

struct conn {
    struct pl_lines lines;
    struct supervisor *s;
    struct pl_list link;
    uint64_t deadline_ns; /* 0: a query or the stop has its own */
    bool busy;            /* a request is being answered */
    bool awaits_stop;
    char *request; /* the line, for what is handed on */
};

/* What is asked for. */
struct request {
    char cmd[32];
    double worker; /* -1: not given */
    bool wait;     /* stop: answer when it is done */
    bool now;      /* stop: without drain */
};

/* Reads a line of JSON. -1 with `err`: it is no request. */
int pl_sv_request_read(const char *line, size_t len, struct request *out, struct pl_err *err);

/* Sends the reply (a line without its end) and makes the connection ready for the next request. */
void pl_sv_reply(struct conn *conn, struct pl_buf *json);

/* Answers with an error. */
void pl_sv_refuse(struct conn *conn, const char *code, const char *message, bool retryable);

/* Answer what workers were asked, when they have answered or their time is up: how they are; and
 * anything else, where one answer stands for all when all are well, and one failure fails the
 * request. */
void pl_sv_status_finish(struct query *q);
void pl_sv_workers_finish(struct query *q);

#endif
