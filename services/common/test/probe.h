/* Events about probes, for tests that need some. */
#pragma once

#include "probe_events.ev.h"

static struct rpc_call *call;

static struct rpc_event *changed(const char *probe, int64_t version)
{
	souk_probe_v1_ProbeChanged event = { .version = version };

	event_text(event.probe, probe);
	return probe_event_probe_changed(call, &event);
}
