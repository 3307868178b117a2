/* Whether this build has a sanitizer in it: one that maps terabytes which it never touches, and
 * needs a few system calls of its own. */
#ifndef PL_BASE_SANITIZED_H
#define PL_BASE_SANITIZED_H

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define PL_SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define PL_SANITIZED 1
#endif
#endif
#ifndef PL_SANITIZED
#define PL_SANITIZED 0
#endif

#endif
