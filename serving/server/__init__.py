"""Control of servers: archives, ports, Java, the instance folder, the proxy, and starting and checking TorchServe."""
