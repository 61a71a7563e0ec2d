/* net_memif (DPDK 22.11, memif_disconnect()) marks a link as down and then unmaps its memory, in
 * EAL's interrupt thread, when the other side goes away; a lane that had looked at the mark just
 * before reads memory that is gone. The driver has no call for waiting in between, but it calls
 * munmap(): this one, since an executable's own function comes before the C library's for shared
 * libraries, too. In that thread it first waits until every lane has begun another turn: none of
 * them goes on with a link that is down. Elsewhere it is the system call, as ever. */
#include <stdatomic.h>
#include <stddef.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/sanitizer.h"
#include "nic/nic.h"

static _Atomic(nic_guard_wait) guard;
static void *guard_context;

void nic_memif_guard(nic_guard_wait wait, void *context)
{
	guard_context = context;
	atomic_store_explicit(&guard, wait, memory_order_release);
}

bool nic_memif_is_guarded(void)
{
	return atomic_load_explicit(&guard, memory_order_acquire) != NULL;
}

/* Sanitizers have a munmap() of their own, and need it. */
#if !SW_SANITIZE_ADDRESS && !SW_SANITIZE_THREAD && !SW_SANITIZE_MEMORY

static bool is_driver_thread(void)
{
	char name[16] = "";
	return prctl(PR_GET_NAME, name) == 0 && strcmp(name, "eal-intr-thread") == 0;
}

int munmap(void *address, size_t length)
{
	nic_guard_wait wait = atomic_load_explicit(&guard, memory_order_acquire);
	if (wait != NULL && is_driver_thread())
		wait(guard_context);
	return (int)syscall(SYS_munmap, address, length);
}

#endif
