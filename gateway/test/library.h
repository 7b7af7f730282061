/* For tests: the library's service. */
#pragma once

#include <library.rpc.h>

extern const struct library_service_ops library;
