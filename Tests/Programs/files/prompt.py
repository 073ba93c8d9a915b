print(1+1)
import os
os.getpid() == os.getpid()
input()
typed in
exit()
