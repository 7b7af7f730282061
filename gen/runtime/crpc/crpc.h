/* libcrpc, all of it. */
#pragma once

#include <crpc/arena.h>
#include <crpc/call.h>
#include <crpc/cleanup.h>
#include <crpc/client.h>
#include <crpc/config.h>
#include <crpc/id.h>
#include <crpc/json.h>
#include <crpc/log.h>
#include <crpc/message.h>
#include <crpc/metrics.h>
#include <crpc/server.h>
#include <crpc/service.h>
#include <crpc/status.h>
