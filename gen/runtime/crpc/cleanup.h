/* Ownership: handles that close themselves at the end of their scope. */
#pragma once

/* cleanup(bson_freep) bson_t *filter = ...; */
#define cleanup(function) __attribute__((cleanup(function)))

/* Gives the handle away: the variable no longer owns it. */
#define ptr_steal(pointer)                                                                         \
	({                                                                                         \
		__typeof__(pointer) stolen_ = (pointer);                                           \
		(pointer) = NULL;                                                                  \
		stolen_;                                                                           \
	})

/* Makes `function##p` for cleanup(); destructors take NULL. */
#define DEFINE_CLEANUP(type, function)                                                             \
	static inline void function##p(type *pointer)                                              \
	{                                                                                          \
		function(*pointer);                                                                \
	}
