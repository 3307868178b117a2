/* The inside of a confined child: one sandboxed state, driven over a socket (base/frame.h). */
#ifndef PL_ENGINE_ISOLATE_CHILD_H
#define PL_ENGINE_ISOLATE_CHILD_H

#define PL_ISOLATE_ARGUMENT "--sandbox-child"

/* The main function of `parley --sandbox-child`, with the socket as descriptor 0: confines the
 * process, then serves until the worker closes the socket. Returns the exit code when it cannot be
 * confined, having said why over the socket. */
int pl_isolate_child_main(void);

#endif
