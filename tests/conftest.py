import torch

# Tests run side by side, one a core; threads inside each would only fight for the same cores.
torch.set_num_threads(1)
