/* Frames between a worker and one of its confined children, over a stream socket.
 *
 * The worker asks, the child answers: each question has an id of its own and gets exactly one
 * answer with that id. A plugin's call is named by the id of the question that started it; while it
 * waits at the door the child has nothing to answer, and the worker goes on with an ANSWER. STOP
 * ends a call and is no question; one that was still open about the call is answered by FAIL. */
#ifndef PL_BASE_FRAME_H
#define PL_BASE_FRAME_H

#include <stdint.h>

enum pl_frame_type {
    /* to the child */
    PL_FRAME_NEW = 1, /* u64 memory cap, u32 length and text of the name, the prelude */
    PL_FRAME_COMPILE, /* u32 length and text of slot and chunkname, the source */
    PL_FRAME_LOAD,    /* u32 length and text of the slot, bytecode of the host's own */
    PL_FRAME_START,   /* struct pl_frame_start, u32 length and text of the slot, values */
    PL_FRAME_ANSWER,  /* u64 of struct pl_frame_start's advanced_ms, values */
    PL_FRAME_STOP,
    PL_FRAME_PROFILE, /* struct pl_frame_profile */
    /* from the child; but for HELLO each begins with struct pl_frame_memory */
    PL_FRAME_HELLO, /* struct pl_frame_hello: it is confined */
    PL_FRAME_OK,    /* of PROFILE: the text of engine/profile.h */
    PL_FRAME_DONE,  /* values */
    PL_FRAME_DOOR,  /* values */
    PL_FRAME_FAIL,  /* u32 retryable, u32 index of the code (pl_frame_code), the message */
};

struct pl_frame {
    uint32_t size; /* of the body behind this header */
    uint32_t type;
    uint32_t id;
    uint32_t call; /* of START: 0 */
};

struct pl_frame_start {
    uint64_t advanced_ms; /* how far the worker's wall clock was moved (base/clock.h) */
    double cpu_ms, timeout_ms;
};

/* What was sampled since the last one is the answer; from here on a sample is taken so often. */
struct pl_frame_profile {
    uint64_t every_ns; /* 0: no more */
    uint64_t every_bytes;
};

struct pl_frame_memory {
    uint64_t used, peak;
    uint64_t broken; /* 0 or 1 */
};

struct pl_frame_hello {
    uint64_t address_space, data; /* bytes that the program takes before any plugin is in it */
    uint32_t landlock;            /* version of the kernel's interface; 0: it has none */
    uint32_t reserved;
};

/* A body holds at most the values of one crossing, each within PL_COPY_LIMITS_DEFAULT, and what
 * stands before them. */
#define PL_FRAME_BODY_MAX (28u << 20)

/* The codes that a child may fail with; others are sent as "exception". */
uint32_t pl_frame_code_index(const char *code);
const char *pl_frame_code(uint32_t index); /* static storage; NULL when there is none */

#endif
