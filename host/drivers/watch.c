#include "drivers/watch.h"

#include "base/buf.h"

#include <assert.h>
#include <stdlib.h>
#include <uv.h>

#define OP "watch"

/* One handle; it outlives its place in the list until libuv has closed it. */
struct folder {
    uv_fs_event_t event;
    struct pl_list link;
    struct pl_watch *watch; /* NULL: closed */
};

struct pl_watch {
    struct pl_loop *loop;
    struct pl_list folders;
    struct pl_op *waiting; /* pending; a reference is held */
    bool changed;          /* since the last wait ended */
};

struct pl_watch *pl_watch_new(struct pl_loop *loop)
{
    struct pl_watch *w = pl_xcalloc(1, sizeof *w);
    w->loop = loop;
    pl_list_init(&w->folders);
    return w;
}

/* Ends the wait, if there is one. */
static void end_wait(struct pl_watch *w, const struct pl_err *err)
{
    struct pl_op *op = w->waiting;
    if (op == NULL)
        return;
    w->waiting = NULL;
    w->changed = false;
    if (err != NULL)
        pl_op_fail(op, err);
    else
        pl_op_finish(op);
    pl_op_unref(op);
}

static void on_event(uv_fs_event_t *event, const char *name, int events, int status)
{
    (void)name;
    (void)events;
    (void)status; /* an error of a watch is a reason to look, too */
    struct folder *f = pl_container_of(event, struct folder, event);
    if (f->watch == NULL)
        return;
    f->watch->changed = true;
    end_wait(f->watch, NULL);
}

static void on_closed(uv_handle_t *handle)
{
    free(pl_container_of((uv_fs_event_t *)handle, struct folder, event));
}

static void drop_all(struct pl_list *folders)
{
    struct pl_list *link;
    while ((link = pl_list_shift(folders)) != NULL) {
        struct folder *f = pl_container_of(link, struct folder, link);
        f->watch = NULL;
        uv_close((uv_handle_t *)&f->event, on_closed);
    }
}

static int add(struct pl_watch *w, struct pl_list *to, const char *path, struct pl_err *err)
{
    struct folder *f = pl_xcalloc(1, sizeof *f);
    uv_fs_event_init(&w->loop->uv, &f->event);
    f->watch = w;
    pl_list_init(&f->link);
    pl_list_push(to, &f->link);
    int rc = uv_fs_event_start(&f->event, on_event, path, 0);
    if (rc == 0)
        return 0;
    pl_list_remove(&f->link);
    f->watch = NULL;
    uv_close((uv_handle_t *)&f->event, on_closed);
    if (rc == UV_ENOENT || rc == UV_ENOTDIR)
        return 0;
    return pl_fail_errno(err, -rc, OP, path);
}

int pl_watch_folders(struct pl_watch *w, const char *const *paths, size_t n, struct pl_err *err)
{
    struct pl_list fresh;
    pl_list_init(&fresh);
    for (size_t i = 0; i < n; i++) {
        if (add(w, &fresh, paths[i], err) < 0) {
            drop_all(&fresh);
            return -1;
        }
    }
    drop_all(&w->folders); /* after the new ones are there: nothing happens in between */
    struct pl_list *link;
    while ((link = pl_list_shift(&fresh)) != NULL)
        pl_list_push(&w->folders, link);
    return 0;
}

/* --- waiting -------------------------------------------------------------------------------------
 */

struct wait {
    struct pl_op op;
    struct pl_watch *watch; /* outlives the op: its holder waits for it */
};

static void wait_cancel(struct pl_op *op)
{
    struct pl_watch *w = pl_container_of(op, struct wait, op)->watch;
    assert(w->waiting == op);
    w->waiting = NULL;
    pl_op_unref(op);
}

static void wait_destroy(struct pl_op *op)
{
    free(pl_container_of(op, struct wait, op));
}

static const struct pl_op_class wait_class = {wait_cancel, wait_destroy};

struct pl_op *pl_watch_wait(struct pl_watch *w, struct pl_owner *owner, uint64_t deadline_ns)
{
    if (w->waiting != NULL)
        return NULL;
    struct wait *wait = pl_xcalloc(1, sizeof *wait);
    wait->watch = w;
    pl_op_start(&wait->op, w->loop, owner, OP, deadline_ns, &wait_class);
    pl_op_ref(&wait->op);
    w->waiting = &wait->op;
    if (w->changed)
        end_wait(w, NULL);
    return &wait->op;
}

void pl_watch_close(struct pl_watch *w)
{
    struct pl_err err;
    pl_fail(&err, PL_E_CLOSED, false, OP, "the watch was closed");
    end_wait(w, &err);
    drop_all(&w->folders);
    free(w);
}
