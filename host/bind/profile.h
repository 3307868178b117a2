/* How often a state is sampled, as the bindings of both rings are told. */
#ifndef PL_BIND_PROFILE_H
#define PL_BIND_PROFILE_H

#include "base/frame.h"

#include <lua.h>

/* Reads profile([every_us[, every_bytes]]), which begins at index 2: without the first there are to
 * be no more samples. Raises an argument error. */
struct pl_frame_profile pl_bind_profile_rates(lua_State *L);

#endif
