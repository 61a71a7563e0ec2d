/* Which sanitizers this is built with: gcc says it with macros, clang with features. 0 or 1 each.
 * Pure; any core.
 */
#pragma once

#if defined(__has_feature)
#define SW_HAS_FEATURE(feature) __has_feature(feature)
#else
#define SW_HAS_FEATURE(feature) 0
#endif

#if defined(__SANITIZE_ADDRESS__) || SW_HAS_FEATURE(address_sanitizer)
#define SW_SANITIZE_ADDRESS 1
#else
#define SW_SANITIZE_ADDRESS 0
#endif

#if defined(__SANITIZE_THREAD__) || SW_HAS_FEATURE(thread_sanitizer)
#define SW_SANITIZE_THREAD 1
#else
#define SW_SANITIZE_THREAD 0
#endif

/* clang only. */
#if SW_HAS_FEATURE(memory_sanitizer)
#define SW_SANITIZE_MEMORY 1
#else
#define SW_SANITIZE_MEMORY 0
#endif
