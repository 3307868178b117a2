/* The subscriptions of one pl_redis: a connection of their own, opened by the first of them. */
#ifndef PL_DRIVERS_REDIS_HUB_H
#define PL_DRIVERS_REDIS_HUB_H

#include "drivers/redis.h"

struct pl_redis_hub;

struct pl_redis_hub *pl_redis_hub_new(struct pl_loop *loop, const struct pl_redis_url *url,
                                      uint64_t connect_ms);
void pl_redis_hub_close(struct pl_redis_hub *hub);

struct pl_redis_subscription *pl_redis_hub_subscribe(struct pl_redis_hub *hub, const char *channel,
                                                     size_t len, pl_redis_on_message on_message,
                                                     void *arg);

/* Fills the fields about subscriptions. */
void pl_redis_hub_stats(const struct pl_redis_hub *hub, struct pl_redis_stats *out);

#endif
