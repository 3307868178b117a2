/* The C functions that the prelude of a sandboxed state builds its environment from. */
#ifndef PL_ENGINE_SANDBOX_LIB_H
#define PL_ENGINE_SANDBOX_LIB_H

#include <lua.h>

/* Pushes the table `raw`: stock base functions and libraries, the door, coroutines of the
 * scheduler, slots, clock, seed. Raises out of memory. */
void pl_sandbox_push_raw(lua_State *L);

/* Pushes the table of slots: name -> function. Raises out of memory. */
void pl_sandbox_push_slots(lua_State *L);

#endif
