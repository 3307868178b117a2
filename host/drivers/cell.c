#include "drivers/cell_impl.h"

#include "base/sanitized.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#define OP         "isolate"
#define READ_CHUNK (64u << 10)
#define KEEP_MAX   (256u << 10) /* a buffer that a large frame has grown is given back */

/* On top of the plugin's cap: a large frame in both directions, and what allocators leave unused.
 */
#define OVERHEAD (2 * (size_t)PL_FRAME_BODY_MAX)

void pl_cell_unref(struct pl_cell *cell)
{
    if (--cell->refs > 0)
        return;
    pl_buf_free(&cell->in);
    pl_buf_free(&cell->out);
    pl_cells_unref(cell->cells);
    free(cell);
}

/* --- limits --------------------------------------------------------------------------------------
 */

static void set_limit(pid_t pid, __rlimit_resource_t resource, rlim_t most)
{
    struct rlimit limit = {most, most};
    prlimit(pid, resource, &limit, NULL); /* fails only for a process that is gone */
}

void pl_cell_limit_memory(struct pl_cell *cell)
{
    if (PL_SANITIZED || !cell->hello || cell->memory_cap == 0 || cell->own.address_space == 0)
        return;
    rlim_t more = cell->memory_cap + OVERHEAD;
    set_limit(cell->pid, RLIMIT_AS, cell->own.address_space + more);
    set_limit(cell->pid, RLIMIT_DATA, cell->own.data + more);
}

/* --- its end -------------------------------------------------------------------------------------
 */

static void on_closed(uv_handle_t *handle)
{
    pl_cell_unref(handle->data);
}

void pl_cell_kill(struct pl_cell *cell, enum pl_cell_end why)
{
    if (cell->ending)
        return;
    cell->ending = true;
    cell->why = why;
    if (cell->pid == 0)
        return; /* it is killed as soon as there is one */
    uv_poll_stop(&cell->poll);
    kill(cell->pid, SIGKILL); /* not reaped yet, so the number is its own */
}

static void describe_end(const struct pl_cell *cell, int status, struct pl_err *err)
{
    if (cell->why == PL_CELL_UNFIT)
        *err = cell->problem;
    else if (cell->why == PL_CELL_PROTOCOL)
        pl_fail(err, "crashed", false, OP,
                "the plugin's process has sent what no plugin can send, and was ended");
    else if (cell->why == PL_CELL_DEADLINE)
        pl_fail(err, "crashed", false, OP,
                "the plugin's process did not answer another call in time, and was ended");
    else if (cell->why == PL_CELL_CLOSED)
        pl_fail(err, PL_E_CLOSED, false, OP, "the plugin's process was closed");
    else if (WIFSIGNALED(status))
        pl_fail(err, "crashed", false, OP, "the plugin's process was ended by signal %d (%s)",
                WTERMSIG(status), strsignal(WTERMSIG(status)));
    else
        pl_fail(err, "crashed", false, OP, "the plugin's process has ended with code %d",
                WEXITSTATUS(status));
}

void pl_cell_forget(struct pl_cell_question *q)
{
    pl_list_remove(&q->link);
    pl_op_unref(&q->op); /* the cell's */
}

void pl_cell_reaped(struct pl_cell *cell, int status)
{
    struct pl_err err;
    if (!cell->ending) {
        cell->ending = true;
        cell->why = PL_CELL_CRASHED;
    }
    cell->reaped = true;
    pl_list_remove(&cell->link);
    cell->cells->stats.ended[cell->why]++;
    uv_close((uv_handle_t *)&cell->grace, on_closed);
    if (cell->pid != 0) {
        uv_close((uv_handle_t *)&cell->poll, on_closed);
        close(cell->fd);
    }
    describe_end(cell, status, &err);
    while (!pl_list_empty(&cell->questions)) {
        struct pl_cell_question *q =
            pl_container_of(cell->questions.next, struct pl_cell_question, link);
        pl_op_ref(&q->op);
        pl_cell_forget(q);
        pl_op_fail(&q->op, &err);
        pl_op_unref(&q->op);
    }
    pl_cell_unref(cell); /* the list's */
}

bool pl_cell_reap(struct pl_cell *cell)
{
    int status;
    if (cell->pid == 0 || waitpid(cell->pid, &status, WNOHANG) != cell->pid)
        return false;
    pl_cell_reaped(cell, status);
    return true;
}

void pl_cell_close(struct pl_cell *cell)
{
    pl_cell_kill(cell, PL_CELL_CLOSED);
    pl_cell_unref(cell);
}

/* --- reading -------------------------------------------------------------------------------------
 */

static void on_hello(struct pl_cell *cell, const struct pl_frame *head, const char *body)
{
    if (cell->hello || head->size != sizeof cell->own) {
        pl_cell_kill(cell, PL_CELL_PROTOCOL);
        return;
    }
    memcpy(&cell->own, body, sizeof cell->own);
    cell->hello = true;
    pl_cell_limit_memory(cell);
    pl_cells_heard(cell->cells, cell);
}

/* Before it is confined it runs nobody else's code and says the truth. */
static void on_unfit(struct pl_cell *cell, const struct pl_frame *head, const char *body)
{
    size_t before = sizeof(struct pl_frame_memory) + 2 * sizeof(uint32_t);
    int len = head->size > before ? (int)(head->size - before) : 0;
    pl_fail(&cell->problem, "not_supported", false, OP, "%.*s", len, body + before);
    pl_cell_kill(cell, PL_CELL_UNFIT);
    pl_cells_heard(cell->cells, cell);
}

static struct pl_cell_question *find_question(struct pl_cell *cell, uint32_t id)
{
    struct pl_list *pos, *tmp;
    pl_list_each (pos, tmp, &cell->questions) {
        struct pl_cell_question *q = pl_container_of(pos, struct pl_cell_question, link);
        if (q->id == id)
            return q;
    }
    return NULL;
}

static void on_frame(struct pl_cell *cell, const struct pl_frame *head, const char *body)
{
    if (!cell->hello) {
        if (head->type == PL_FRAME_FAIL)
            on_unfit(cell, head, body);
        else if (head->type == PL_FRAME_HELLO)
            on_hello(cell, head, body);
        else
            pl_cell_kill(cell, PL_CELL_PROTOCOL);
        return;
    }
    struct pl_cell_question *q = find_question(cell, head->id);
    if (q == NULL || head->type <= PL_FRAME_HELLO || head->type > PL_FRAME_FAIL ||
        head->size < sizeof(struct pl_frame_memory)) {
        pl_cell_kill(cell, PL_CELL_PROTOCOL); /* an answer to a question that was never asked */
        return;
    }
    q->head = *head;
    q->head.call = q->call;
    q->body = pl_xmemdup(body, head->size);
    pl_op_ref(&q->op);
    pl_cell_forget(q);
    pl_op_finish(&q->op);
    pl_op_unref(&q->op);
}

/* Handles one frame when it is there as a whole. */
static bool next_frame(struct pl_cell *cell)
{
    struct pl_frame head;
    if (cell->ending || cell->in.len < sizeof head)
        return false;
    memcpy(&head, cell->in.data, sizeof head);
    if (head.size > PL_FRAME_BODY_MAX) {
        pl_cell_kill(cell, PL_CELL_PROTOCOL);
        return false;
    }
    size_t whole = sizeof head + head.size;
    if (cell->in.len < whole)
        return false;
    on_frame(cell, &head, cell->in.data + sizeof head);
    pl_buf_consume(&cell->in, whole);
    if (cell->in.len == 0 && cell->in.cap > KEEP_MAX)
        pl_buf_free(&cell->in);
    return true;
}

static void read_more(struct pl_cell *cell)
{
    pl_buf_reserve(&cell->in, READ_CHUNK);
    ssize_t n =
        recv(cell->fd, cell->in.data + cell->in.len, cell->in.cap - cell->in.len, MSG_DONTWAIT);
    if (n > 0) {
        cell->in.len += (size_t)n;
        while (next_frame(cell))
            continue;
    } else if (n == 0 || (errno != EAGAIN && errno != EINTR)) {
        /* It ends, or has closed its socket and lives on: waitpid will say which. */
        pl_cell_kill(cell, PL_CELL_CRASHED);
    }
}

/* --- writing -------------------------------------------------------------------------------------
 */

static void on_poll(uv_poll_t *poll, int status, int events);

static void wait_for(struct pl_cell *cell, int events)
{
    if (cell->events == events || cell->ending)
        return;
    cell->events = events;
    uv_poll_start(&cell->poll, events, on_poll);
}

static void write_out(struct pl_cell *cell)
{
    if (cell->pid == 0)
        return; /* pl_cell_started does it */
    while (cell->out.len > 0) {
        ssize_t n = send(cell->fd, cell->out.data, cell->out.len, MSG_DONTWAIT | MSG_NOSIGNAL);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0 && errno == EAGAIN) {
            wait_for(cell, UV_READABLE | UV_WRITABLE);
            return;
        }
        if (n < 0)
            pl_buf_clear(&cell->out); /* it has ended: the reading side finds out */
        else
            pl_buf_consume(&cell->out, (size_t)n);
    }
    if (cell->out.cap > KEEP_MAX)
        pl_buf_free(&cell->out);
    wait_for(cell, UV_READABLE);
}

static void on_poll(uv_poll_t *poll, int status, int events)
{
    struct pl_cell *cell = poll->data;
    cell->refs++;
    if (status < 0)
        events = UV_READABLE; /* recv says what it is */
    if ((events & UV_WRITABLE) && !cell->ending)
        write_out(cell);
    if ((events & UV_READABLE) && !cell->ending)
        read_more(cell);
    pl_cell_unref(cell);
}

void pl_cell_send(struct pl_cell *cell, const struct pl_frame *head, const struct pl_buf *body)
{
    bool waiting = cell->out.len > 0;
    pl_buf_append(&cell->out, (const char *)head, sizeof *head);
    if (body != NULL)
        pl_buf_append(&cell->out, body->data, body->len);
    if (!waiting)
        write_out(cell);
}

void pl_cell_stop(struct pl_cell *cell, uint32_t call)
{
    struct pl_frame head = {.type = PL_FRAME_STOP, .call = call};
    if (!cell->ending)
        pl_cell_send(cell, &head, NULL);
}

/* --- life ----------------------------------------------------------------------------------------
 */

void pl_cell_started(struct pl_cell *cell, pid_t pid, int fd)
{
    cell->pid = pid;
    cell->fd = fd;
    uv_poll_init(&cell->cells->loop->uv, &cell->poll, fd);
    cell->poll.data = cell;
    cell->refs++; /* the handle's */
    if (cell->ending) {
        kill(pid, SIGKILL);
    } else {
        wait_for(cell, UV_READABLE);
        write_out(cell);
    }
    pl_cell_reap(cell); /* the signal of its end may have come before its pid was known */
}

pid_t pl_cell_pid(const struct pl_cell *cell)
{
    return cell->pid;
}

bool pl_cell_was_given_up(const struct pl_cell *cell)
{
    return cell->given_up;
}

bool pl_cell_alive(const struct pl_cell *cell)
{
    return !cell->ending;
}
