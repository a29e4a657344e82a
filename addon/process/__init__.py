"""The backend as a child process: started, asked, and told to stop; and short errands of the command line."""
