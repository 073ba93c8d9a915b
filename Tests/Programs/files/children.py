"""subprocess: output, input, statuses, environment."""
import subprocess
import sys

print(subprocess.run(["sort", "-n", "numbers.txt"], capture_output=True, text=True).stdout[:40].split())
print(subprocess.run(["tr", "a-z", "A-Z"], input="to upper case", capture_output=True, text=True).stdout)
print(subprocess.run("exit 3", shell=True).returncode, subprocess.run("kill -9 $$", shell=True).returncode)
p = subprocess.Popen([sys.executable, "-c", "import os, sys; sys.stdout.write(os.environ['ONE']); sys.exit(4)"],
                     stdout=subprocess.PIPE, env={"ONE": "1"})
print(p.communicate()[0], p.returncode)
try:
    subprocess.run(["/no/such/program"])
except FileNotFoundError:
    print("not found")
try:
    subprocess.run(["sleep", "20"], timeout=0.1)
except subprocess.TimeoutExpired:
    print("timed out")
sys.stdout.flush()
subprocess.run(["echo", "inherited output"])
