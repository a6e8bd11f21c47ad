/* SPDX-License-Identifier: Apache-2.0 */
/* Pipes, POSIX message queues, semaphores and message queues of System V, keys. */
#include "calls.h"
#include "old.h"

#include <linux/keyctl.h>
#include <mqueue.h>
#include <sys/ipc.h>
#include <sys/msg.h>
#include <sys/sem.h>

static void pipes(void)
{
	int p[2], q[2];
	char a[8];

	EXPECT(pipe2(p, O_CLOEXEC | O_NONBLOCK) == 0 && fcntl(p[0], F_GETFD) == FD_CLOEXEC);
	EXPECT(fcntl(p[1], F_GETFL) & O_NONBLOCK && old_pipe(q) == 0 && fcntl(q[1], F_GETFD) == 0);
	FAILS(read(p[0], a, 8), EAGAIN);
	EXPECT(write(q[1], "pipe", 4) == 4 && read(q[0], a, 8) == 4);
	close(q[1]);
	EXPECT(read(q[0], a, 8) == 0);
	FAILS(pipe2(p, 0x10), EINVAL);
	FAILS(pipe2(nowhere, 0), EFAULT);
	close(p[0]);
	signal(SIGPIPE, SIG_IGN);
	FAILS(write(p[1], a, 1), EPIPE);
	close(p[1]);
	close(q[0]);
	/* O_DIRECT has another bit on each ISA: packets */
	EXPECT(pipe2(p, O_DIRECT) == 0 && write(p[1], "ab", 2) == 2 && write(p[1], "cd", 2) == 2);
	EXPECT(fcntl(p[1], F_GETFL) & O_DIRECT && read(p[0], a, 8) == 2);
	close(p[0]);
	close(p[1]);
	say("pipe2, pipe\n");
}

static void queues(void)
{
	struct mq_attr attr = { .mq_maxmsg = 4, .mq_msgsize = 32 }, got;
	struct timespec past = { 1, 0 };
	char name[40], a[33] = "";
	unsigned prio = 0;
	mqd_t q;

	snprintf(name, sizeof(name), "/chiral-live-%d", getpid());
	q = mq_open(name, O_RDWR | O_CREAT | O_EXCL | O_NONBLOCK, 0600, &attr);
	if (q < 0 && errno == ENOSYS) {
		say("no message queues here\n");
		return;
	}
	EXPECT(q >= 0);
	EXPECT(mq_send(q, "low", 3, 1) == 0 && mq_send(q, "", 0, 9) == 0 && mq_timedsend(q, "mid", 3, 5, &past) == 0);
	EXPECT(mq_getattr(q, &got) == 0 && got.mq_curmsgs == 3 && got.mq_maxmsg == 4 && got.mq_msgsize == 32);
	EXPECT(mq_receive(q, a, 32, &prio) == 0 && prio == 9);
	EXPECT(mq_timedreceive(q, a, 32, &prio, &past) == 3 && prio == 5 && !memcmp(a, "mid", 3));
	EXPECT(mq_receive(q, a, 32, NULL) == 3 && !memcmp(a, "low", 3));
	FAILS(mq_receive(q, a, 32, NULL), EAGAIN);
	FAILS(mq_receive(q, a, 5, NULL), EMSGSIZE);
	FAILS(mq_send(q, a, 33, 0), EMSGSIZE);
	attr.mq_flags = 0;
	EXPECT(mq_setattr(q, &attr, &got) == 0 && got.mq_flags == O_NONBLOCK);
	FAILS(mq_timedreceive(q, a, 32, NULL, &past), ETIMEDOUT);
	FAILS(mq_open(name, O_RDWR | O_CREAT | O_EXCL, 0600, NULL), EEXIST);
	EXPECT(mq_unlink(name) == 0);
	FAILS(mq_unlink(name), ENOENT);
	FAILS(mq_open(name, O_RDWR), ENOENT);
	FAILS(mq_getattr(99, &got), EBADF);
	EXPECT(mq_close(q) == 0);
	say("mq_open, mq_unlink, mq_timedsend, mq_timedreceive, mq_getsetattr\n");
}

union argument { /* semctl(2) */
	int val;
	struct semid_ds *ds;
	unsigned short *array;
	struct seminfo *info;
};

static void wakes(int id)
{
	struct sembuf up = { 1, 2, 0 };

	pause_ms(20);
	EXPECT(semop(id, &up, 1) == 0);
}

static void semaphores(void)
{
	int id = semget(IPC_PRIVATE, 3, IPC_CREAT | 0600);
	struct sembuf op[2] = { { 0, 3, 0 }, { 0, -1, IPC_NOWAIT } }, down = { 1, -2, 0 };
	struct timespec soon = { 0, 5000000 };
	struct semid_ds ds = { 0 };
	struct seminfo info;
	pid_t pid = getpid();

	if (id < 0 && errno == ENOSYS) {
		say("no semaphores here\n");
		return;
	}
	EXPECT(id >= 0 && syscall(SYS_semop, id, op, 2) == 0);
	EXPECT(semctl(id, 0, GETVAL) == 2 && semctl(id, 0, GETPID) == pid);
	EXPECT(semctl(id, 2, SETVAL, (union argument){ .val = 7 }) == 0 && semctl(id, 2, GETVAL) == 7);
	EXPECT(semctl(id, 0, GETNCNT) == 0 && semctl(id, 0, GETZCNT) == 0);
	EXPECT(semctl(id, 0, IPC_STAT, (union argument){ .ds = &ds }) == 0);
	EXPECT(ds.sem_nsems == 3 && ds.sem_otime > 0 && (ds.sem_perm.mode & 0777) == 0600 && ds.sem_perm.uid == geteuid());
	ds.sem_perm.mode = 0640;
	EXPECT(semctl(id, 0, IPC_SET, (union argument){ .ds = &ds }) == 0);
	EXPECT(semctl(0, 0, IPC_INFO, (union argument){ .info = &info }) >= 0 && info.semmsl > 0);
	FAILS(semtimedop(id, &down, 1, &soon), EAGAIN);
	pid = start_child(wakes, id);
	EXPECT(semtimedop(id, &down, 1, NULL) == 0);
	end_child(pid);
	op[0] = (struct sembuf){ 9, 1, 0 };
	FAILS(semop(id, op, 1), EFBIG);
	FAILS(semop(id, op, 0), EINVAL);
	FAILS(semop(id, nowhere, 1), EFAULT);
	FAILS(semctl(id, 9, GETVAL), EINVAL);
	EXPECT(semctl(id, 0, IPC_RMID) == 0);
	FAILS(semctl(id, 0, GETVAL), EINVAL);
	FAILS(semget(0x4c495645, 0, 0), ENOENT);
	say("semget, semop, semtimedop, semctl\n");
}

struct message {
	long type;
	char text[16];
};

static void messages(void)
{
	int id = msgget(IPC_PRIVATE, IPC_CREAT | 0600);
	struct message out = { 3, "a message" }, in = { 0 };
	struct msqid_ds ds = { 0 };
	struct msginfo info;

	if (id < 0 && errno == ENOSYS) {
		say("no messages here\n");
		return;
	}
	EXPECT(id >= 0 && msgsnd(id, &out, 10, 0) == 0);
	out.type = 5;
	EXPECT(msgsnd(id, &out, 0, IPC_NOWAIT) == 0);
	EXPECT(msgctl(id, IPC_STAT, &ds) == 0 && ds.msg_qnum == 2 && ds.msg_lspid == getpid() && ds.msg_stime > 0);
	ds.msg_qbytes = 8192;
	EXPECT(msgctl(id, IPC_SET, &ds) == 0 && msgctl(id, IPC_STAT, &ds) == 0 && ds.msg_qbytes == 8192);
	EXPECT(msgctl(0, IPC_INFO, (void *)&info) >= 0 && info.msgmax > 0);
	EXPECT(msgrcv(id, &in, 16, 5, 0) == 0 && in.type == 5);
	FAILS(msgrcv(id, &in, 4, 0, 0), E2BIG);
	EXPECT(msgrcv(id, &in, 4, 0, MSG_NOERROR) == 4 && in.type == 3 && !memcmp(in.text, "a me", 5));
	FAILS(msgrcv(id, &in, 16, 0, IPC_NOWAIT), ENOMSG);
	out.type = 0;
	FAILS(msgsnd(id, &out, 1, 0), EINVAL);
	FAILS(msgsnd(id, nowhere, 1, 0), EFAULT);
	EXPECT(msgctl(id, IPC_RMID, NULL) == 0);
	FAILS(msgsnd(id, &out, 1, 0), EINVAL);
	FAILS(msgget(0x4c495645, 0), ENOENT);
	say("msgget, msgsnd, msgrcv, msgctl\n");
}

static long keyctl(int cmd, unsigned long a, unsigned long b, unsigned long c, unsigned long d)
{
	return syscall(SYS_keyctl, cmd, a, b, c, d);
}

#define ADDR(p) (unsigned long)(uintptr_t)(p)

static void keys(void)
{
	long ring = keyctl(KEYCTL_JOIN_SESSION_KEYRING, 0, 0, 0, 0), key, other;
	char a[128] = "";

	if (ring < 0) {
		EXPECT(errno == ENOSYS || errno == EPERM || errno == EACCES || errno == EDQUOT);
		say("no keys here\n");
		return;
	}
	key = syscall(SYS_add_key, "user", "chiral-live", "secret", 6, KEY_SPEC_SESSION_KEYRING);
	EXPECT(key > 0);
	EXPECT(keyctl(KEYCTL_GET_KEYRING_ID, (unsigned long)KEY_SPEC_SESSION_KEYRING, 0, 0, 0) == ring);
	EXPECT(keyctl(KEYCTL_READ, (unsigned long)key, ADDR(a), sizeof(a), 0) == 6 && !memcmp(a, "secret", 6));
	EXPECT(keyctl(KEYCTL_UPDATE, (unsigned long)key, ADDR("other"), 5, 0) == 0);
	EXPECT(keyctl(KEYCTL_READ, (unsigned long)key, 0, 0, 0) == 5);
	EXPECT(keyctl(KEYCTL_DESCRIBE, (unsigned long)key, ADDR(a), sizeof(a), 0) > 5 && !strncmp(a, "user;", 5));
	EXPECT(keyctl(KEYCTL_SETPERM, (unsigned long)key, 0x3f3f0000, 0, 0) == 0);
	EXPECT(keyctl(KEYCTL_CHOWN, (unsigned long)key, (unsigned long)-1, (unsigned long)-1, 0) == 0);
	EXPECT(keyctl(KEYCTL_SEARCH, (unsigned long)ring, ADDR("user"), ADDR("chiral-live"), 0) == key);
	EXPECT(syscall(SYS_request_key, "user", "chiral-live", NULL, 0) == key);
	FAILS(syscall(SYS_request_key, "user", "chiral-missing", NULL, 0), ENOKEY);
	EXPECT(keyctl(KEYCTL_GET_SECURITY, (unsigned long)key, ADDR(a), sizeof(a), 0) >= 0 || errno == EOPNOTSUPP);
	EXPECT(keyctl(KEYCTL_SET_TIMEOUT, (unsigned long)key, 100, 0, 0) == 0);
	other = syscall(SYS_add_key, "keyring", "chiral-other", NULL, 0, ring);
	EXPECT(other > 0 && keyctl(KEYCTL_LINK, (unsigned long)key, (unsigned long)other, 0, 0) == 0);
	EXPECT(keyctl(KEYCTL_UNLINK, (unsigned long)key, (unsigned long)other, 0, 0) == 0);
	EXPECT(keyctl(KEYCTL_CLEAR, (unsigned long)other, 0, 0, 0) == 0);
	EXPECT(keyctl(KEYCTL_SET_REQKEY_KEYRING, 0, 0, 0, 0) >= 0);
	EXPECT(keyctl(KEYCTL_CAPABILITIES, ADDR(a), sizeof(a), 0, 0) > 0 || errno == EOPNOTSUPP);
	EXPECT(keyctl(KEYCTL_REVOKE, (unsigned long)key, 0, 0, 0) == 0);
	FAILS(keyctl(KEYCTL_READ, (unsigned long)key, ADDR(a), sizeof(a), 0), EKEYREVOKED);
	EXPECT(keyctl(KEYCTL_INVALIDATE, (unsigned long)other, 0, 0, 0) == 0);
	FAILS(syscall(SYS_add_key, "missing", "x", NULL, 0, ring), ENODEV);
	FAILS(syscall(SYS_add_key, "user", nowhere, "x", 1, ring), EFAULT);
	FAILS(keyctl(12345, 0, 0, 0, 0), EOPNOTSUPP);
	say("add_key, request_key, keyctl\n");
}

void test_ipc(void)
{
	pipes();
	queues();
	semaphores();
	messages();
	in_child(keys);
}
