/* Holds a pod's namespaces: sleeps until it is told to end, and buries the children that fall to process 1. */
#include <signal.h>
#include <unistd.h>

static void end(int number)
{
	(void)number;
	_exit(0);
}

int main(int count, char **words)
{
	/* With SA_NOCLDWAIT the kernel itself buries children: no zombie is ever left to wait for. */
	struct sigaction children = {.sa_handler = SIG_DFL, .sa_flags = SA_NOCLDWAIT};
	struct sigaction ending = {.sa_handler = end};

	/* kubeadm's look at a cluster before an upgrade asks this program for its version. */
	if (count > 1 && words[1][0] == '-' && words[1][1] == 'v')
		return 0;
	sigaction(SIGCHLD, &children, 0);
	sigaction(SIGTERM, &ending, 0);
	sigaction(SIGINT, &ending, 0);
	for (;;)
		pause();
}
