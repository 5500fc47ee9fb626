"""The command line, as a shell sees it: exit code, standard output, standard error."""
