/* Doing: what this process is in the middle of, so that news which overtakes its end can be told
 * apart. */
#include <common/clock.h>
#include <common/doing.h>
#include <string.h>
#include <time.h>

enum { STEP_MS = 2 };

/* The mark of that name; or one that is free, for "". Under the lock. */
static struct doing_mark *find(struct doing *doing, const char *name)
{
	int64_t now = clock_monotonic_ms();

	for (int i = 0; i < DOING_MAX; i++) {
		struct doing_mark *mark = &doing->marks[i];

		if (mark->until_ms <= now)
			*mark->name = '\0';
		if (!strcmp(mark->name, name))
			return mark;
	}
	return NULL;
}

void doing_begin(struct doing *doing, const char *name, int64_t ms)
{
	struct doing_mark *mark;
	size_t size = strlen(name) + 1;

	if (size == 1 || size > DOING_NAME)
		return;
	pthread_mutex_lock(&doing->lock);
	mark = find(doing, name);
	if (!mark)
		mark = find(doing, "");
	if (mark) {
		memcpy(mark->name, name, size);
		mark->until_ms = clock_monotonic_ms() + ms;
	}
	pthread_mutex_unlock(&doing->lock);
}

void doing_end(struct doing *doing, const char *name)
{
	struct doing_mark *mark;

	pthread_mutex_lock(&doing->lock);
	mark = find(doing, name);
	if (mark)
		*mark->name = '\0';
	pthread_mutex_unlock(&doing->lock);
}

bool doing_is(struct doing *doing, const char *name)
{
	bool is;

	pthread_mutex_lock(&doing->lock);
	is = *name && find(doing, name);
	pthread_mutex_unlock(&doing->lock);
	return is;
}

void doing_wait(struct doing *doing, const char *name, int64_t ms)
{
	/* It takes a few milliseconds, if anybody waits at all: looking is less than a condition
	 * for each. */
	for (int64_t waited = 0; waited < ms && doing_is(doing, name); waited += STEP_MS)
		nanosleep(&(struct timespec){ .tv_nsec = STEP_MS * 1000000L }, NULL);
}
