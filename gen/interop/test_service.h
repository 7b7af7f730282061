/* grpc.testing.TestService, as the interop suite describes it. */
#pragma once

#include <testing_test.rpc.h>

extern const struct test_service_ops test_service;
