"""Effect of attention on translation: attentions and cells compared with a fixed vector, scheduled sampling, beam widths."""
