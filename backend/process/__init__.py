"""The backend as a process: its server, its worker, its log, its machine."""
