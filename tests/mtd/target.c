/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A server that can be attacked, for moving target defence: a request is a byte with its length and as many
 * bytes, which overwrite the pointer to the function that answers it when they are more than 32. The
 * attacker wants a secret that privileged() gives away to nobody.
 */
#include <string.h>
#include <unistd.h>

struct request {
	char text[32];
	void (*answer)(struct request *);
};

static volatile int authorised, secrets;

static void greet(struct request *r)
{
	r->text[31] = 0;
}

/* A whole function is called at the same address on both ISAs; what is in it is at other places. */
__attribute__((noinline)) static void privileged(struct request *r)
{
	(void)r;
	if (authorised)
		secrets++;
}

static int read_all(void *to, size_t len)
{
	char *at = to;

	while (len) {
		ssize_t n = read(0, at, len);

		if (n <= 0)
			return -1;
		at += n;
		len -= (size_t)n;
	}
	return 0;
}

/* Where the program moves. */
__attribute__((noinline)) static int serve(void)
{
	struct request r = { .answer = authorised ? privileged : greet };
	unsigned char len;
	int before = secrets;

	if (read_all(&len, 1) || read_all(r.text, len)) /* len may be more than sizeof(r.text) */
		return -1;
	r.answer(&r);
	return secrets != before;
}

int main(void)
{
	int got;

	while ((got = serve()) >= 0)
		if (write(1, got ? "secret\n" : "hello\n", got ? 7 : 6) < 0)
			return 1;
	return 0;
}
