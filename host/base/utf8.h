/* UTF-8 as RFC 3629 defines it: no overlong forms, no surrogates, nothing above U+10FFFF. */
#ifndef PL_BASE_UTF8_H
#define PL_BASE_UTF8_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The length in bytes of the character that begins at s (1 to 4), 0 when it is not valid or does
 * not end within n bytes. n is at least 1. */
size_t pl_utf8_char(const unsigned char *s, size_t n);

/* The number of leading bytes that are valid UTF-8; equal to n when all are. */
size_t pl_utf8_valid(const char *s, size_t n);

/* Replaces each byte of s that is no part of a valid character by '?', in place: for text that was
 * cut at a byte, or came from a plugin, and goes into an answer. */
void pl_utf8_repair(char *s, size_t n);

/* Writes code (at most U+10FFFF, no surrogate) as 1 to 4 bytes; returns how many. */
size_t pl_utf8_encode(uint32_t code, char *out);

#endif
