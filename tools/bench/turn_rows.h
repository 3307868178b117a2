/* What the bare programs write: the texts of one turn of the load, and ids as Parley makes them. */
#ifndef BENCH_TURN_ROWS_H
#define BENCH_TURN_ROWS_H

#include <stdio.h>
#include <time.h>

#define DIALOGS 1000

static double now(void)
{
    struct timespec ts;
    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

/* Ids that grow, as UUIDv7 does. */
static const char *next_id(char *out)
{
    static unsigned long n;
    n++;
    snprintf(out, 37, "01a1fcce-%04lx-7000-8000-%012lx", n >> 20 & 0xffff, n);
    return out;
}

static const char trace[] = "0af7651916cd43dd8448eb211c80319c";
static const char message[] =
    "{\"user\":{\"external_id\":\"user-17\"},\"type\":\"text\",\"text\":\"/echo hello there\","
    "\"message_id\":\"m-1234567\"}";
static const char reply[] =
    "{\"actions\":[{\"type\":\"send\",\"text\":\"hello there\"}],\"in_reply_to\":"
    "\"01a1fcce-897d-729f-bd01-262bc42736da\",\"plugin\":\"echo\",\"status\":\"answered\"}";
static const char response[] =
    "{\"dialog_id\":\"bench-123\",\"message_id\":\"m-1234567\",\"status\":\"answered\","
    "\"reset_version\":0,\"actions\":[{\"type\":\"send\",\"text\":\"hello there\"}],"
    "\"reply_message_id\":\"01a1fcce-897d-729f-bd01-262bc42736da\",\"text\":\"hello there\","
    "\"plugin\":{\"name\":\"echo\",\"version\":\"1.0.0\"},\"latency_ms\":{\"total\":1.234,"
    "\"plugin\":0.123},\"trace_id\":\"0af7651916cd43dd8448eb211c80319c\"}";

#endif
