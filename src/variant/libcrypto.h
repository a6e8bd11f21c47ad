/* SPDX-License-Identifier: Apache-2.0 */
/*
 * OpenSSL's random numbers.
 *
 * libcrypto makes them from the kernel's, and mixes in what is different in each variant: the address of
 * its generator and that of the thread (OpenSSL 3, providers/implementations/rands/drbg.c,
 * prov_drbg_get_nonce(), and seeding/rand_unix.c, ossl_pool_add_nonce_data()). Each variant would have
 * keys of its own, and nothing that is encrypted would be equal. So the one entry that all its users come
 * through, EVP_RAND_generate(), is overwritten in the variant's memory with a function that asks
 * getrandom(2), which is compared and replayed like any call. No file is changed.
 *
 * Both monitors do so when the library is mapped, before it runs. OpenSSL that is linked statically, and
 * versions before 3, are left as they are.
 */
#ifndef CHIRAL_VARIANT_LIBCRYPTO_H
#define CHIRAL_VARIANT_LIBCRYPTO_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/* The thread maps code of libcrypto from its descriptor: the result of the call is of interest. */
bool libcrypto_is_mapped(pid_t tid, int fd);
/* It was mapped: len bytes of the file from offset are at addr. The thread is in a ptrace stop. Failures
 * are warnings; a program whose random numbers differ will diverge. */
void libcrypto_patch(pid_t tid, int fd, uint64_t addr, uint64_t len, uint64_t offset);

#endif
