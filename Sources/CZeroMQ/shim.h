#include <sys/eventfd.h>
#include <sys/prctl.h>
#include <zmq.h>

// prctl takes a variable number of arguments, which Swift cannot pass.
static inline void czeromq_set_thread_name(const char *name) {
  prctl(PR_SET_NAME, name, 0, 0, 0);
}
