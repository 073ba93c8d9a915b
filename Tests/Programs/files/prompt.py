print(1+1)
import os
os.getpid() == os.getpid()
exit()
