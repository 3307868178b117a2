/* supervise{...} of host.worker: in a file of its own because it is the one function that the
 * command line needs and no worker has. */
#ifndef PL_BIND_SUPERVISE_H
#define PL_BIND_SUPERVISE_H

#include <lua.h>

int pl_bind_supervise(lua_State *L);

#endif
